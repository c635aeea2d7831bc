"""Whether what the receivers say can all be true, and who is wrong where it cannot."""
