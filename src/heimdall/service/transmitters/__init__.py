"""Known transmitters of the installation."""
