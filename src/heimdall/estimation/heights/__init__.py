"""An unknown height: how likely each one is, and what it does to the place."""
