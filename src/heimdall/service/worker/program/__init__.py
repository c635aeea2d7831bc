"""A job's program: started, confined, and ended with its worker."""
