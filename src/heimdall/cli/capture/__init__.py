"""Commands for receivers by address: list, record, watch, rehearse."""
