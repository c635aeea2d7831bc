"""Any recording or measurement as observations."""
