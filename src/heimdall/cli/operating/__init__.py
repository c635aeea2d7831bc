"""Commands for whoever runs the service or this machine."""
