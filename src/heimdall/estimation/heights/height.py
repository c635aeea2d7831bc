"""An unknown height: how likely the ground and each height above it are, and the posterior over place and height.

Arrival times of four receivers or more say something about the height, and a height says something about the place. The
transmitter is taken to be on the ground or aloft, as likely as the other before anything was heard. The ground is as high as
the receivers or lower (`heimdall.estimation.heights.lower_ground`); aloft the logarithm of the height above the receivers is
uniform, so that low is likelier than high. Nothing is known of where it is that differs between the two. Aloft links are those
of an aircraft whose height is known (`heimdall.estimation.model.AIRBORNE`).
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
CLEAR_ON_GROUND = 0.1
"""Share of the transmitters on the ground with all links as clear as an aircraft's: quiet arrival times alone are no proof of the
air. Chosen, not measured."""
LEAST_TIMES = 4
"""Arrival times from which on a height can be told: place, height and emission time are four unknowns."""
LOWEST_M, HIGHEST_M = 300.0, 100_000.0
"""Above the receivers: lower than this a height is terrain and moves no place. Balloons burst below 40 km, sounding rockets go
higher; above this no height is taken from outside either (`heimdall.validation.reception`)."""
_MATTERS = 0.5
"""A height that moves the place by less than this, in standard deviations and in the root mean square, may be left out."""
_RULED_OUT = 0.05
"""What is less probable is not mentioned."""
_GOOD_ODDS = 3.0
"""Of lower ground against ground as high as the receivers, to be taken for the answer."""


@dataclass(frozen=True, eq=False)
class Branch:
    """Heights to one side of the receivers' mean, in the air or on lower ground, and what one scene's arrival times say of them.

    F cells, with edges as distances from that mean.
    """

    side: int
    """1 in the air, -1 on lower ground."""
    edge_m: Float[Values, " E"]
    share: float
    """Probability of this side."""
    prior: Float[Values, " F"]
    """Probability of each cell, given the side."""
    probability: Float[Values, " F"]
    """Of each cell and the side, after the measurements."""
    place_m: Float[Values, "F 2"]
    """The likeliest place at each height, as east and north on the ground below."""

    @property
    def above_m(self) -> Float[Values, " F"]:
        return np.asarray(self.side * np.sqrt(self.edge_m[1:] * self.edge_m[:-1]))

    @property
    def median_place_m(self) -> Float[Values, " 2"]:
        """The place at its median height."""
        held = np.cumsum(self.probability)
        return np.asarray(self.place_m[int(np.searchsorted(held, 0.5 * held[-1]))])


@dataclass(frozen=True, eq=False)
class Profile:
    """What one scene's arrival times say about the height."""

    ground_prior: float
    """Probability of ground as high as the receivers."""
    ground_probability: float
    """After the measurements; with those of both branches it sums to 1."""
    ground_place_m: Float[Values, " 2"]
    branches: tuple[Branch, Branch]
    """Lower ground and the air."""
    shift: float
    """How far the heights move the place, in standard deviations, root mean square."""
    ground_m: float
    """The receivers' mean height above the ellipsoid."""
    ground_sigma_m: float
    """How far ground as high as the receivers may lie above or below it."""

    @property
    def height(self) -> Height:
        above_m = np.concatenate([[0.0], *(branch.above_m for branch in self.branches)])
        probability = np.concatenate([[self.ground_probability], *(branch.probability for branch in self.branches)])
        return concluded(above_m, probability, self.ground_m, self.ground_sigma_m)

    @property
    def likeliest_place_m(self) -> Float[Values, " 2"]:
        """The place on ground as high as the receivers or, where another is the likelier, at the median height there."""
        above_m = self.height.height_m - self.ground_m
        if above_m == 0:
            return self.ground_place_m
        lower, aloft = self.branches
        return (aloft if above_m > 0 else lower).median_place_m

    @property
    def is_level(self) -> bool:
        """Whether the answer is ground as high as the receivers."""
        return self.height.height_m == self.ground_m

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
    """That it is on ground as high as the receivers."""
    lower_probability: float
    """That it is on lower ground."""
    lower_m: float
    """Mean height of that ground above the ellipsoid."""
    upper_m: float
    """Above the ellipsoid; with 95 % it is not higher."""
    covariance_m2: tuple[float, float] = (0.0, 0.0)
    """With east and north."""

    @property
    def advice(self) -> str:
        """One sentence where ground as high as the receivers is not the whole answer, else nothing."""
        on_ground = self.ground_probability + self.lower_probability
        figures = f"{self.height_m / 1e3:.1f} ± {max(self.sigma_m / 1e3, 0.1):.1f} km"
        if on_ground < _RULED_OUT:
            return f"the arrival times fit a transmitter at {figures}, not on the ground"
        is_lower = self.ground_probability < _RULED_OUT * on_ground
        if on_ground > 1 - _RULED_OUT:
            return (
                f"the arrival times fit a transmitter at {figures}, on ground below the receivers" if is_lower else ""
            )
        ground = f"on ground below the receivers, at {self.lower_m / 1e3:.1f} km" if is_lower else "on the ground"
        return f"the height is undetermined: {ground}, or up to {self.upper_m / 1e3:.1f} km"


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

    Height 0 is ground as high as the receivers, heights below it are lower ground. Where the ground is the likelier, it is the
    answer, with the deviation from it, and lower ground only by good odds, as little is known of it before. Otherwise the answer
    is the mean, lower ground counted as high as the receivers: a mean of both sides fits neither.
    """
    lower_K = above_m < 0
    ground_probability, lower_probability = float(probability[above_m == 0].sum()), float(probability[lower_K].sum())
    lower_m = float(probability[lower_K] @ above_m[lower_K]) / max(lower_probability, 1e-300)
    if ground_probability + lower_probability < 0.5:
        mean_m = float(probability[~lower_K] @ above_m[~lower_K])
    else:
        mean_m = lower_m if lower_probability > _GOOD_ODDS * ground_probability else 0.0
    variance_m2 = float(probability @ (above_m - mean_m) ** 2) + ground_probability * ground_sigma_m**2
    upward = np.argsort(above_m)
    upper = min(int(np.searchsorted(np.cumsum(probability[upward]), 0.95)), len(above_m) - 1)
    return Height(
        height_m=ground_m + mean_m,
        sigma_m=math.sqrt(variance_m2),
        ground_probability=ground_probability,
        lower_probability=lower_probability,
        lower_m=ground_m + lower_m,
        upper_m=ground_m + float(above_m[upward[upper]]),
    )
