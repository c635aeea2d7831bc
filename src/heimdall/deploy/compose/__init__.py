"""Docker Compose: run it, set its .env, and check what it needs of this host."""
