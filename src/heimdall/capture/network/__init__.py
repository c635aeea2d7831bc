"""Reaching receivers by address: which networks may be reached, and how bytes are fetched from them."""
