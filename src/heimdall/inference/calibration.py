"""What held-out scenes have taught about a network's answers: how its regions are to be read, and where it is the better."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError

from heimdall.arrays import Array, array_namespace
from heimdall.estimation.model import PropagationModel
from heimdall.inference.answer import SMOOTHING
from heimdall.inference.mixture import Mixture
from heimdall.validation.complaints import complaint

LIKELIHOOD, NETWORK, HYBRID = "likelihood", "network", "hybrid"
ALL = "all"
"""Kind under which the figures over all kinds stand."""
Share = Annotated[float, Field(ge=0, le=1)]
Mass = Annotated[float, Field(ge=0, le=1 + 1e-5)]
"""Of a posterior in single precision, as bundles of earlier versions hold it: all of it may be a rounding more than 1."""
PROBABILITIES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99)


@dataclass(frozen=True)
class Regions:
    """Which mass of the posterior holds the truth how often: `masses[i]` in `PROBABILITIES[i]` of the scenes."""

    masses: tuple[Mass, ...] = PROBABILITIES

    def __post_init__(self) -> None:
        if len(self.masses) != len(PROBABILITIES) or any(a > b for a, b in pairwise(self.masses)):
            raise ValueError(f"the masses of regions are {len(PROBABILITIES)} numbers that do not fall")

    def mass(self, probability: float) -> float:
        return min(float(np.interp(probability, (0.0, *PROBABILITIES, 1.0), (0.0, *self.masses, 1.0))), 1.0)


@dataclass(frozen=True)
class Blend:
    """How the hybrid joins network and likelihood."""

    likelihood_share: Share = 0.5
    """Weight of the likelihood in the geometric mean of the two densities."""
    blur: Annotated[FiniteFloat, Field(ge=0)] = SMOOTHING
    """Blur of the joined density before its peak is taken, see `heimdall.inference.answer.SMOOTHING`."""
    point_share: Share = 0.5
    """How far the place lies from the likelihood's mode towards that peak, where both are one peak."""


@dataclass(frozen=True)
class Calibration:
    """Fitted by `heimdall.learning.calibration.fit` on scenes that nothing was trained on."""

    regions: dict[str, dict[str, Regions]] = field(default_factory=dict)
    """For each method and kind of session, and for all kinds together."""
    blends: dict[str, Blend] = field(default_factory=dict)
    """For each kind of session and for all kinds together."""
    kinds: dict[str, dict[str, float]] = field(default_factory=dict)
    """Median error in m of each method, and the number of scenes, for each kind of session that was seen."""
    scenes: Annotated[int, Field(ge=0)] = 0

    def regions_of(self, method: str, kind: str) -> Regions:
        """Regions of the kind; of all kinds together if there were too few of it; uncalibrated before any fit."""
        known = self.regions.get(method, {})
        return known.get(kind) or known.get(ALL) or Regions()

    def blend_of(self, kind: str) -> Blend:
        """As `regions_of`; half and half before any fit."""
        return self.blends.get(kind) or self.blends.get(ALL) or Blend()

    def best_method(self, kind: str, *, with_likelihood: bool = True) -> str:
        """The method with the least median error on that kind of session.

        Where the kind was never seen: the likelihood, or the hybrid if the network has to be used.
        """
        candidates = (LIKELIHOOD, HYBRID, NETWORK) if with_likelihood else (HYBRID, NETWORK)
        medians = self.kinds.get(kind)
        return candidates[0] if medians is None else min(candidates, key=lambda method: medians[method])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Calibration:
        """Raises ValueError for anything that `to_json` cannot have written."""
        try:
            calibration = TypeAdapter(cls).validate_python(document)
        except ValidationError as error:
            raise ValueError(complaint(error)) from error
        # Defaults are for a network that was never calibrated; a part that a file lacks must not become one.
        if json.loads(json.dumps(calibration.to_json())) != json.loads(json.dumps(document)):
            raise ValueError("the calibration has not the parts that this version of heimdall writes")
        for kind, medians in calibration.kinds.items():
            missing = {LIKELIHOOD, NETWORK, HYBRID} - set(medians)
            if missing:
                raise ValueError(f"the kind {kind!r} has no median for {', '.join(sorted(missing))}")
        return calibration


def kind_of(model: PropagationModel, timed_receivers: int, *, mapped: bool = False) -> str:
    """Alike are sessions with one propagation model, located by time or by power alone, with a radio map or without."""
    return f"{model.name}, {'time' if timed_receivers >= 3 else 'power'}{', mapped' if mapped else ''}"


def pooled(mixture: Mixture, likelihood_log_mass: Array, likelihood_share: Array | float) -> Mixture:
    """The hybrid's density: cell by cell the geometric mean of the network's weight and the likelihood's mass (B, K).

    The likelihood's share is (B, 1), or one for all scenes.
    """
    xp = array_namespace(mixture.log_weight)
    log_weight = (1 - likelihood_share) * mixture.log_weight + likelihood_share * likelihood_log_mass
    everything = xp.concat([log_weight, mixture.log_background[:, None]], axis=1)
    top = xp.max(everything, axis=1)
    norm = top + xp.log(xp.sum(xp.exp(everything - top[:, None]), axis=1))
    return replace(mixture, log_weight=log_weight - norm[:, None], log_background=mixture.log_background - norm)
