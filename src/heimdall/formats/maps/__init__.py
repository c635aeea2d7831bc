"""A fix drawn on a map."""
