"""The judgements: each check is a small function that takes the facts and gives findings."""
