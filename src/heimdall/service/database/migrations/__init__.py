"""The database's history: each file in `versions` takes the tables from one revision to the next."""
