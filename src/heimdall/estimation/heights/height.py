"""An unknown height: how likely the ground and each height above it are, and the posterior over place and height.

Arrival times of four receivers or more say something about the height, and a height says something about the place. The
transmitter is taken to be on the ground or aloft, as likely as the other before anything was heard; aloft the logarithm of its
height above the receivers is uniform, so that low is likelier than high. Nothing is known of where it is that differs
between the two. Aloft links are those of an aircraft whose height is known (`heimdall.estimation.model.AIRBORNE`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.model import AIRBORNE, PropagationModel
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected

if TYPE_CHECKING:
    from jaxtyping import Float

Values = NDArray[np.float64]

ALOFT_PROBABILITY = 0.5
"""Chosen among a few on one channel of a rocket's packets (433 MHz) and on simulated scenes, together with the aircraft's links:
other networks may want another share."""
LEAST_TIMES = 4
"""Arrival times from which on a height can be told: place, height and emission time are four unknowns."""
LOWEST_M, HIGHEST_M = 300.0, 30_000.0
"""Above the receivers: lower than this a height is terrain and moves no place; balloons and sounding rockets go as high."""
BLUR_OF_CELL = 0.35
_MATTERS = 0.5
"""A height that moves the place by less than this, in standard deviations and in the root mean square, may be left out."""


@dataclass(frozen=True, eq=False)
class Profile:
    """What one scene's arrival times say about the height. F heights above the receivers' mean, the ground (0) first."""

    above_m: Float[Values, " F"]
    edge_m: Float[Values, " F"]
    """Of the cells that those aloft stand for."""
    prior: Float[Values, " F"]
    """Probability of each cell; sums to 1."""
    probability: Float[Values, " F"]
    """After the measurements; sums to 1."""
    place_m: Float[Values, "F 2"]
    """The likeliest place at each height, as east and north on the ground below."""
    shift: float
    """How far the heights move the place, in standard deviations, root mean square."""
    ground_m: float
    """The receivers' mean height above the ellipsoid."""
    ground_sigma_m: float
    """How far the ground at the transmitter may lie above or below it."""

    @property
    def height(self) -> Height:
        return concluded(self.above_m, self.probability, self.ground_m, self.ground_sigma_m)

    @property
    def ground_probability(self) -> float:
        return float(self.probability[0])

    @property
    def matters(self) -> bool:
        """Whether the place must be sought together with the height."""
        return self.shift > _MATTERS


@dataclass(frozen=True)
class Height:
    """A transmitter's height as the arrival times tell it."""

    height_m: float
    """Above the ellipsoid."""
    sigma_m: float
    ground_probability: float
    upper_m: float
    """Above the ellipsoid; with 95 % it is not higher."""
    covariance_m2: tuple[float, float] = (0.0, 0.0)
    """With east and north."""

    @property
    def advice(self) -> str:
        """One sentence where the ground is not the whole answer, else nothing."""
        figures = f"{self.height_m / 1e3:.1f} +- {max(self.sigma_m / 1e3, 0.1):.1f} km"
        if self.ground_probability < 0.05:
            return f"the arrival times fit a transmitter at {figures}, not on the ground"
        if self.ground_probability < 0.95:
            return f"the height is undetermined: on the ground, or up to {self.upper_m / 1e3:.1f} km"
        return ""


def is_unknown(collected: Collected, model: PropagationModel) -> bool:
    """Whether the height is to be estimated: nobody said it, and enough receivers in line of sight timed the signal."""
    timed = int(np.sum(collected.evidence.has_arrival[0]))
    return collected.observation.transmitter_height_m is None and timed >= LEAST_TIMES and not model.along_ground


def aloft(model: PropagationModel) -> PropagationModel:
    """What holds for links to a transmitter whose height is known to be an aircraft's, with the model's own prior."""
    return replace(AIRBORNE, inside_probability=model.inside_probability, combined_receivers=model.combined_receivers)


def raised(batch: EvidenceBatch, above_m_B: Values) -> EvidenceBatch:
    """The scenes with the transmitter looked for so much higher."""
    return replace(batch, transmitter_height_m=batch.transmitter_height_m + above_m_B)


def stretch(batch: EvidenceBatch, above_m: Values) -> Values:
    """By how much east and north grow when a place is lifted along its vertical; `above_m` (B,) or (B, K)."""
    curvature = np.mean(np.asarray(batch.curvature_per_m, dtype=float)[:, :2], axis=1)
    return np.asarray(1 + above_m * curvature.reshape(-1, *[1] * (np.ndim(above_m) - 1)))


def concluded(above_m: Values, probability: Values, ground_m: float, ground_sigma_m: float) -> Height:
    """The height that K heights above the receivers' mean, `ground_m` above the ellipsoid, with these probabilities say.

    The ground comes first. Where it is the likelier it is the answer, with the deviation from it; else the mean.
    """
    ground_probability = float(probability[0])
    mean_m = 0.0 if ground_probability >= 0.5 else float(probability @ above_m)
    variance_m2 = float(probability @ (above_m - mean_m) ** 2) + ground_probability * ground_sigma_m**2
    upper_m = float(above_m[min(int(np.searchsorted(np.cumsum(probability), 0.95)), len(above_m) - 1)])
    return Height(ground_m + mean_m, math.sqrt(variance_m2), ground_probability, ground_m + upper_m)
