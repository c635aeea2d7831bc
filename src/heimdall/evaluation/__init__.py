"""Methods held against each other on observations with known transmitters: errors, coverage, bounds, pictures."""
