"""Registered receivers, and what stored sessions say about them."""
