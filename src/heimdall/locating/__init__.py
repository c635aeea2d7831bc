"""The one door to locating: observations in, fixes out, by the likelihood, a trained network or least squares."""
