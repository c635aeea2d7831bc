"""A network of receivers to practise with: simulated scenes played on loopback by servers that speak the real protocols."""
