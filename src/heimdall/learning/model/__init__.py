"""The network, what training minimises, and its export to a bundle."""
