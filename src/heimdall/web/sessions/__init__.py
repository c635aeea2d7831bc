"""Stored sessions on the page *Map*: uploaded, found, named, deleted and brought back."""
