"""The database: its tables, and the way from one version of them to the next."""
