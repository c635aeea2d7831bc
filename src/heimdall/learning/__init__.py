"""Training a network that reads evidence windows: recipes, data, loss, training, evaluation, export."""
