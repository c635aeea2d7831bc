"""Receivers by address: what each can give, recording them together, and waiting for a signal. Needs no torch."""

LEAST_RECEIVERS = 2
"""One alone locates nothing."""
