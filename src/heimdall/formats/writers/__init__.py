"""Fixes and sessions as files that other programs read."""
