"""One training: its phases, where it runs, how far it is, and how it is stopped and resumed."""
