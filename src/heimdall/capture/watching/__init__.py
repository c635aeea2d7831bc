"""Waiting for a signal, and for the files of another recorder."""
