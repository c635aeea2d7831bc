"""Whether what the receivers say can all be true: receiver autonomous integrity monitoring by the likelihood's own model.

Two questions. Is the misfit at the fix larger than the model makes plausible? Blocked links come late, so the answer is not a
chi-square: the misfit is held against misfits drawn from the model itself. And would one receiver's measurements be explained
better by a fault than by the model? That is the ratio of the evidence without it, times the density of a fault, to the evidence
with it (a Bayes factor, MacKay 2003, chapter 28). The second question names the receiver.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.arrival_times import (
    arrival_log_likelihood,
    arrival_residual_s,
    link_distance_m,
    path_sigma_s,
)
from heimdall.estimation.likelihood.power import level_log_likelihood
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.posterior_window import frame_around
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.search import BLUR_OF_CELL, find_mode, log_posterior
from heimdall.evidence.batch import EvidenceBatch, concatenate

if TYPE_CHECKING:
    from jaxtyping import Float

Values = NDArray[np.float64]
Chosen = NDArray[np.bool_]

FEWEST_TIMES = 4
"""Three arrival times fit some place whatever they are."""
_LEAST_PROBABILITY = 0.02
"""A misfit that the model exceeds this rarely is a contradiction: it is the share of false alarms by times."""
_LEAST_LOG_ODDS = 3.0
"""A fault that explains the measurements e^3 times better outweighs that only one receiver in twenty is at fault."""
_LEAST_LOG_ODDS_BY_LEVEL = 6.0
"""The same with fewer than three arrival times: at a real site levels stray further than the model's shadowing (on the POWDER
campus a fifth of the fixes by power would be contradicted at 3)."""
_DRAWS = 1000
_KINDS = ("time", "level", "both")
_MOST_CANDIDATES = 8
"""Receivers that are left out in turn, the most suspicious at first sight."""
_LEVEL_FAULT_DB = 80.0
"""A faulty level is anywhere in a range of this width."""
_LEVEL_CONSTANT = 0.5 * math.log(2 * math.pi)
"""What the likelihood of levels leaves out for each of them."""
_NEAR_THE_EDGE = 0.9
_OUTWARDS = 1.05
_CELLS = 24


_shared: ContextVar[dict[object, Values] | None] = ContextVar("odds of faults", default=None)


@dataclass(frozen=True, eq=False)
class Misfit:
    """A contradiction among the receivers of one scene."""

    probability: float
    """Of a misfit of the arrival times at least as large where all is as the model has it; 1 where times cannot tell."""
    log_odds: Float[Values, " N"]
    """Log of how much better a fault of each receiver explains its measurements; -inf for those not looked at."""

    @property
    def suspects(self) -> list[int]:
        """Receivers, the most suspicious first."""
        order = np.argsort(-self.log_odds, kind="stable")
        return [int(index) for index in order if np.isfinite(self.log_odds[index])]


@dataclass(frozen=True)
class Fault:
    """What a receiver is to be wrong about for the rest to fit: log odds of each kind of fault."""

    time: float
    level: float
    both: float


def find_misfit(evidence: EvidenceBatch, place_m: Values, model: PropagationModel, fitted: int = 2) -> Misfit | None:
    """None where the receivers of one scene (a numpy batch of one) agree at the fix (2,), as nearly all do, at little cost.

    `fitted` is how many coordinates of the place the arrival times had to fit: 3 where the height was found from them.
    """
    if int(np.sum(evidence.has_arrival | evidence.has_level)) < 3 or _cut_off(evidence, place_m, model):
        return None
    probability = misfit_probability(evidence, place_m, model, fitted)
    first = _first_sight(evidence, place_m, model)
    contradicted = probability < _LEAST_PROBABILITY
    if not contradicted and np.max(first) <= 0:
        return None
    candidates = np.sort(np.argsort(-first, kind="stable")[:_MOST_CANDIDATES])
    log_odds = np.full(evidence.present.shape[1], -np.inf)
    log_odds[candidates] = _log_odds(evidence, model, candidates)
    misfit = Misfit(probability, log_odds)
    by_level = int(np.sum(evidence.has_arrival)) < FEWEST_TIMES - 1
    least = _LEAST_LOG_ODDS_BY_LEVEL if by_level else _LEAST_LOG_ODDS
    return misfit if contradicted or float(np.max(log_odds)) > least else None


def _cut_off(evidence: EvidenceBatch, place_m: Values, model: PropagationModel) -> bool:
    """Whether the density still rises outwards where the search ended: a misfit there is the area's, not a receiver's."""
    if np.max(np.abs(place_m)) < _NEAR_THE_EDGE * float(evidence.half_width_m[0]):
        return False
    return bool(_density_at(evidence, _OUTWARDS * place_m, model)[0] > _density_at(evidence, place_m, model)[0])


def misfit_probability(evidence: EvidenceBatch, place_m: Values, model: PropagationModel, fitted: int = 2) -> float:
    """How often arrival times that are as the model has them fit worse than these; 1 with too few to tell.

    The misfit is how much higher the log-likelihood would be had every signal arrived exactly when it should. Times drawn from
    the model are not located again: `fitted` of them are left out instead, as many as the place has coordinates to fit. 1 for
    waves by the ionosphere, too: a link's mode and height are open, which nothing is drawn from here.
    """
    timed = np.flatnonzero(evidence.has_arrival[0])
    freedom = len(timed) - 1 - fitted
    if freedom < 1 or model.sky_wave is not None:
        return 1.0
    late_N = arrival_residual_s(place_m[None, None], evidence, model)[0, 0] * evidence.has_arrival[0]
    exact = replace(evidence, arrival_s=evidence.arrival_s - late_N)
    misfit = float(_misfits(exact, late_N[None], evidence.has_arrival, place_m, model)[0])
    if misfit <= freedom:  # below the mean of every model: nothing to look at
        return 1.0
    rng = np.random.default_rng(0)
    drawn_SN = _draw_late(path_sigma_s(place_m[None, None], evidence, model)[0, 0], model, rng)
    kept_SN = evidence.has_arrival & ~_some_of(timed, fitted, evidence.present.shape[1], rng)
    return float(np.mean(_misfits(exact, drawn_SN, kept_SN, place_m, model) >= misfit))


def _misfits(
    exact: EvidenceBatch, late_SN: Values, kept_SN: Chosen, place_m: Values, model: PropagationModel
) -> Float[Values, " S"]:
    """What lateness costs the log-likelihood, the emission time fitted anew."""
    count = len(late_SN)
    many = exact.select(np.zeros(2 * count, dtype=int))
    arrival_s = many.arrival_s + np.concatenate([np.zeros_like(late_SN), late_SN * kept_SN])
    many = replace(many, arrival_s=arrival_s, has_arrival=np.concatenate([kept_SN, kept_SN]))
    distance_m = link_distance_m(np.broadcast_to(place_m, (2 * count, 1, 2)), many, model)
    value = arrival_log_likelihood(distance_m, many, model)[:, 0]
    return np.asarray(value[:count] - value[count:])


def _draw_late(sigma_N: Values, model: PropagationModel, rng: np.random.Generator) -> Float[Values, "S N"]:
    """Lateness as the model has it: clear, blocked, or astray."""
    shape = (_DRAWS, len(sigma_N))
    lot = rng.random(shape)
    blocked = lot < model.blocked_probability
    astray = lot > 1 - model.stray_probability
    late = sigma_N * rng.standard_normal(shape) + blocked * rng.exponential(model.excess_delay_s, shape)
    return np.where(astray, model.stray_width_s * rng.standard_cauchy(shape), late)


def _some_of(timed: NDArray[np.int64], count: int, receivers: int, rng: np.random.Generator) -> Chosen:
    """(S, N) bool, so many of the timed receivers in each row."""
    order = np.argsort(rng.random((_DRAWS, len(timed))), axis=1)[:, :count]
    chosen = np.zeros((_DRAWS, receivers), dtype=bool)
    np.put_along_axis(chosen, timed[order], True, axis=1)
    return chosen


def _first_sight(evidence: EvidenceBatch, place_m: Values, model: PropagationModel) -> Float[Values, " N"]:
    """Log odds of a fault of each receiver in time, level or both, the place as it is.

    At one place times and levels are independent: what both lose is the sum of what each loses.
    """
    one_out, _ = _left_out(evidence, "both")
    batch = concatenate([evidence, one_out])
    place_BG2 = np.broadcast_to(place_m, (len(batch), 1, 2))
    distance_m = link_distance_m(place_BG2, batch, model)
    odds = np.zeros(evidence.present.shape[1])
    for kind, value in (
        ("time", arrival_log_likelihood(distance_m, batch, model)[:, 0]),
        ("level", level_log_likelihood(place_BG2, distance_m, batch, model)[:, 0]),
    ):
        odds = odds + np.maximum(value[1:] - value[0] + _fault_density(evidence, kind), 0.0)
    return odds


def _density_at(batch: EvidenceBatch, place_m: Values, model: PropagationModel) -> Values:
    places = np.broadcast_to(place_m, (len(batch), 1, 2))
    return np.asarray(log_posterior(batch, model)(places, np.zeros(len(batch)))[:, 0])


def _left_out(
    evidence: EvidenceBatch, kind: str, receivers: NDArray[np.int64] | None = None
) -> tuple[EvidenceBatch, Values]:
    """One scene for each receiver without its time, level or both, and the log density of a fault of those."""
    count = evidence.present.shape[1]
    receivers = np.arange(count) if receivers is None else receivers
    others = np.arange(count) != receivers[:, None]
    many = evidence.select(np.zeros(len(receivers), dtype=int))
    has_arrival = many.has_arrival & (others | (kind == "level"))
    has_level = many.has_level & (others | (kind == "time"))
    return replace(many, has_arrival=has_arrival, has_level=has_level), _fault_density(evidence, kind)[receivers]


def _fault_density(evidence: EvidenceBatch, kind: str) -> Float[Values, " N"]:
    """Log density of a wrong time, level or both; -inf for a receiver that has nothing there to be wrong about."""
    timed, leveled = np.asarray(evidence.has_arrival[0]), np.asarray(evidence.has_level[0])
    # A wrong time is anywhere in what light takes there and back across the area.
    time = -math.log(4 * float(evidence.half_width_m[0]) / SPEED_OF_LIGHT_M_S)
    level = _LEVEL_CONSTANT - math.log(_LEVEL_FAULT_DB)
    if kind == "both":
        return np.where(timed | leveled, timed * time + leveled * level, -np.inf)
    return np.where(timed, time, -np.inf) if kind == "time" else np.where(leveled, level, -np.inf)


def _log_odds(evidence: EvidenceBatch, model: PropagationModel, receivers: NDArray[np.int64]) -> Values:
    """Log odds of a fault of each of these receivers, in its time, its level or both, the place found anew without it."""
    known = _shared.get()
    key = (model, receivers.tobytes(), *(each.tobytes() for each in _arrays(evidence)))
    if known is not None and key in known:
        return known[key]
    kinds, _ = _odds_of_faults(evidence, model, receivers)
    odds = np.asarray(np.logaddexp.reduce(kinds - math.log(len(_KINDS)), axis=0))
    if known is not None:
        known[key] = odds
    return odds


def _arrays(evidence: EvidenceBatch) -> list[NDArray[np.generic]]:
    arrays: list[NDArray[np.generic]] = []

    def noted(values: NDArray[np.generic]) -> NDArray[np.generic]:
        arrays.append(values)
        return values

    evidence.changed(noted)
    return arrays


@contextmanager
def shared_odds() -> Iterator[None]:
    """Within it the odds of faults of the same evidence are found once: methods that are compared all ask for them."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def _odds_of_faults(
    evidence: EvidenceBatch, model: PropagationModel, receivers: NDArray[np.int64]
) -> tuple[Values, Values]:
    """Log odds (kinds, R) of each kind of fault of these receivers, and the place (kinds, R, 2) found without what is wrong.

    Without times a fault of both is one of the level; what leaves the same measurements is located once.
    """
    parts = [_left_out(evidence, kind, receivers) for kind in _KINDS]
    fault = np.stack([each for _, each in parts])
    batch = concatenate([evidence, *(without for without, _ in parts)])
    told = np.concatenate([batch.has_arrival, batch.has_level], axis=1)
    told[1:][~np.isfinite(fault.ravel())] = told[0]
    _, first, again = np.unique(told, axis=0, return_index=True, return_inverse=True)
    place, value = (each[again.ravel()] for each in log_evidence(batch.select(first), model))
    return np.reshape(value[1:], fault.shape) + fault - value[0], np.reshape(place[1:], (*fault.shape, 2))


def fault_of(evidence: EvidenceBatch, model: PropagationModel, receiver: int) -> tuple[Fault, Values]:
    """What the receiver is wrong about, and the place (2,) without it."""
    odds, places = _odds_of_faults(evidence, model, np.array([receiver]))
    return Fault(*(float(each) for each in odds[:, 0])), places[_KINDS.index("both"), 0]


def log_evidence(batch: EvidenceBatch, model: PropagationModel) -> tuple[Values, Values]:
    """The mode (B, 2), and the log of the posterior density integrated over places (B,)."""
    density = log_posterior(batch, model)
    mode, _ = find_mode(batch, density, search_radius_m(batch, model))
    frame = frame_around(mode, batch, model, _CELLS, density=density)
    _, size = frame.axis(_CELLS)
    log_area = (np.log(size[:, :, None]) + np.log(size[:, None, :])).reshape(len(batch), -1)
    blur_m = BLUR_OF_CELL * np.exp(0.5 * log_area) * frame.core_m[:, None]
    value = density(frame.cell_middles_m(_CELLS), blur_m) + log_area
    top = np.max(value, axis=1)
    return mode, top + np.log(np.sum(np.exp(value - top[:, None]), axis=1)) + 2 * np.log(frame.core_m)


def late_against_others(
    alone: EvidenceBatch, model: PropagationModel, place: Values, distance_m: Values, column: int
) -> float:
    """How late the receiver `column`, which `alone` leaves out, is at a place (1, 1, 2) by the others' time of emission, in s."""
    emitted_s = alone.arrival_s[0] - distance_m * model.refractive_index / SPEED_OF_LIGHT_M_S
    others = np.asarray(alone.has_arrival[0])
    if int(np.sum(others)) == 1:
        return float(emitted_s[column] - emitted_s[others][0])
    late_N = arrival_residual_s(place, alone, model)[0, 0]
    return float(emitted_s[column] - np.median((emitted_s - late_N)[others]))
