"""Reads records; never runs anything, never imports torch."""
