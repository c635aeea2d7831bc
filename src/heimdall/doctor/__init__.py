"""Why the GPU is not used, and what to type: needs only the standard library."""
