"""Readers and writers; the only files that know foreign keys."""
