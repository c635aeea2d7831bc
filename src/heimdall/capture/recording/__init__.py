"""Recording several receivers together, and what that takes in time and on a disk."""
