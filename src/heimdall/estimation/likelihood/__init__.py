"""The log-likelihood of a place: from arrival times, with and without a sky wave, and from received powers."""
