"""The one door to locating: observations in, fixes out, by the likelihood, a trained network or least squares."""

from enum import StrEnum


class Method(StrEnum):
    """What reads the evidence."""

    AUTO = "auto"
    """The one that the model's evaluation found better for that kind of session; without a model the likelihood."""
    LIKELIHOOD = "likelihood"
    LEARNED = "learned"
    LEAST_SQUARES = "least-squares"
