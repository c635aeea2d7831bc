"""Small programs that touch the driver, each run in a process of its own so that this one never does."""
