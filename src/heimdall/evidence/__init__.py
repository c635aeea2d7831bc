"""From recordings and measurements to what they say about any place."""
