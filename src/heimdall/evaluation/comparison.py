"""Methods held against each other on the same observations with known transmitters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from heimdall.errors import InputError
from heimdall.estimation.integrity.fault_odds import FaultOdds
from heimdall.estimation.region import GridPosterior
from heimdall.geometry import LocalFrame
from heimdall.locating.located import Located
from heimdall.observation import ClockClass, Observation, Place

Values = NDArray[np.float64]
PROBABILITIES = (0.5, 0.68, 0.95)
"""Probabilities of the regions whose coverage is reported."""
_CHUNK = 16
"""Observations in memory at a time."""


@dataclass(frozen=True, eq=False)
class Label:
    """What is known of an observation besides what was measured."""

    clock: str
    """Class of the receivers' clocks."""
    inside: bool
    """The transmitter is among the receivers."""
    receivers: int
    blocked_share: float = math.nan
    """Share of the links that are blocked; NaN if unknown."""
    bound_m2: Values = field(default_factory=lambda: np.full((2, 2), np.inf))
    """Cramér-Rao bound on the covariance of east and north; infinite where there is none."""


@dataclass(frozen=True, eq=False)
class Case:
    """An observation, and what is known of it."""

    observation: Observation
    label: Label


class LocateEach(Protocol):
    """Locates every observation; `odds` has what other methods found of the same ones."""

    def __call__(self, observations: Sequence[Observation], *, odds: FaultOdds) -> Iterable[Located]: ...


@dataclass(frozen=True, eq=False)
class Method:
    """A way to locate, under the name that the table gives it."""

    name: str
    locate_each: LocateEach


@dataclass(frozen=True, slots=True)
class ScoredFix:
    """What one method said of one case, held against the truth."""

    error_m: float
    """Infinite where there was no fix."""
    covered: tuple[bool, ...]
    """The truth lies in the region of each of `PROBABILITIES`."""
    needed_probability: float
    """Probability of the smallest region that holds the truth."""
    elapsed_ms: float
    status: str = ""
    protected: bool | None = None
    """The truth lies within the protection level; None where there is none."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The answers of every method to the same cases, in one order."""

    labels: list[Label]
    answers: dict[str, list[ScoredFix]]


def chunks(cases: Iterable[Case]) -> Iterator[list[Case]]:
    """The cases in chunks that are located together."""
    stream = iter(cases)
    while chunk := list(islice(stream, _CHUNK)):
        yield chunk


def compare(cases: Sequence[Case], methods: Sequence[Method]) -> Comparison:
    """Locate these cases with every method, all at once."""
    observations, odds = [case.observation for case in cases], FaultOdds()
    answers = {
        method.name: [
            _judged(*pair) for pair in zip(method.locate_each(observations, odds=odds), observations, strict=True)
        ]
        for method in methods
    }
    return Comparison([case.label for case in cases], answers)


def joined(parts: Iterable[Comparison], on_progress: Callable[[int], None] = lambda done: None) -> Comparison:
    """One comparison of the cases of all. Raises InputError where there are none."""
    labels: list[Label] = []
    answers: dict[str, list[ScoredFix]] = {}
    for part in parts:
        labels += part.labels
        for name, each in part.answers.items():
            answers.setdefault(name, []).extend(each)
        on_progress(len(labels))
    if not labels:
        raise InputError("nothing to evaluate: no observation with a known transmitter was given")
    return Comparison(labels, answers)


def _judged(located: Located, observation: Observation) -> ScoredFix:
    check, posterior, truth = located.fix.truth, located.posterior, observation.truth
    if check is None or posterior is None or truth is None:
        return ScoredFix(math.inf, (False,) * len(PROBABILITIES), 1.0, located.fix.elapsed_ms, located.fix.status.value)
    mass = needed_mass(posterior, truth)
    grid = np.linspace(0, 1, 201)
    needed = float(np.interp(mass, [located.mass(float(probability)) for probability in grid], grid))
    covered = (mass <= located.mass(PROBABILITIES[0]), check.inside_68, check.inside_95)
    level_m = located.fix.protection_level_m
    protected = None if level_m is None else check.inside_95 or check.error_m <= level_m
    return ScoredFix(check.error_m, covered, needed, located.fix.elapsed_ms, located.fix.status.value, protected)


def needed_mass(posterior: GridPosterior, truth: Place) -> float:
    """Mass of the posterior's smallest region that holds the truth; 1 outside its grid."""
    # At the posterior's own height, so that what is compared is the place on the ground below.
    east, north = posterior.frame.horizontal_m(truth.latitude_deg, truth.longitude_deg, posterior.height_m)
    log_density = posterior.log_density
    at = RegularGridInterpolator((posterior.north_m, posterior.east_m), log_density, bounds_error=False)
    level = float(at((north, east)))
    if math.isnan(level):
        return 1.0
    order = np.argsort(log_density.ravel())
    held = posterior.probability.ravel()[order]
    # Half of a cell's own mass counts: a truth in the middle of the highest cell needs next to nothing.
    higher = np.cumsum(held[::-1])[::-1] - 0.5 * held
    return float(np.interp(level, log_density.ravel()[order], higher))


def case_of(observation: Observation) -> Case:
    """The case of an observation that is not simulated. Raises InputError where its transmitter is not known."""
    if observation.truth is None:
        raise InputError(f"{observation.id}: no truth to compare with; give observations with known transmitters")
    classes = {each.clock_class for each in observation.usable_receivers}
    clock = "mixed" if len(classes) > 1 else str(next(iter(classes), ClockClass.NONE))
    return Case(observation, Label(clock, truth_inside(observation), len(observation.usable)))


def truth_inside(observation: Observation) -> bool:
    """Whether the transmitter is within the receivers' convex hull: seen from it, they leave no half circle empty."""
    truth = observation.truth
    receivers = observation.usable_receivers
    if truth is None or len(receivers) < 3:
        return False
    frame = LocalFrame(truth.latitude_deg, truth.longitude_deg)
    latitude = np.array([receiver.latitude_deg for receiver in receivers])
    longitude = np.array([receiver.longitude_deg for receiver in receivers])
    east, north, _ = frame.to_enu(latitude, longitude, np.zeros(len(receivers))).T
    bearing = np.sort(np.arctan2(north, east))
    gaps = np.diff(bearing, append=bearing[0] + 2 * math.pi)
    return bool(np.max(gaps) < math.pi)
