"""Salutary labelling as a query strategy of other active-learning libraries: a module per library."""
