"""Remedies: what can be done about L with the help of V and the pool."""
