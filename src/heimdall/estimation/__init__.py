"""From evidence to a fix: the likelihood with its search and prior, least squares, and the Cramér-Rao bound."""
