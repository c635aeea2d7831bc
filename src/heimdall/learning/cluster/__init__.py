"""A training on a Ray cluster."""
