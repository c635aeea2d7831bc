"""SigMF sessions and recordings as observations."""
