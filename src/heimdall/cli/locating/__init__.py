"""Commands that turn recordings into positions and say how good they are."""
