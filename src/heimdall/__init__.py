"""Heimdall locates a radio transmitter from what several distant receivers heard, and says honestly how sure it is."""

__version__ = "0.1.0"
