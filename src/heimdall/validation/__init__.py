"""What comes from outside: what cannot be right about it, what seldom is, and how to say so."""
