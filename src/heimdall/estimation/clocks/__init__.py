"""Clocks by a reference transmitter: what each receiver is off by, from a station of known place that all recorded."""
