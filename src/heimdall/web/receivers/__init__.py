"""Receivers: where they stand, and how far they can be trusted."""
