"""Known transmitters: the installation's list."""
