"""What observations of known transmitters, or many of any, say about the receivers themselves."""
