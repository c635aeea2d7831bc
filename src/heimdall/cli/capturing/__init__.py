"""Commands that reach receivers, or play them."""
