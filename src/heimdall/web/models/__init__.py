"""Models: which one locates, and how good each is."""
