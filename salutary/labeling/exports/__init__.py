"""Predictions and doubts in the forms of the programs where people work; a file per form."""
