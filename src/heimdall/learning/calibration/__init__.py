"""What held-out scenes teach about a trained network."""
