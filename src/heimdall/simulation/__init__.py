"""Scenes: a transmitter, receivers, what lies between them, and the IQ that each receiver records."""
