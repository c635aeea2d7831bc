"""How much better a fault of a receiver explains its measurements than the model does: the place found anew without it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.arrival_times import arrival_residual_s
from heimdall.estimation.model import PropagationModel, fault_span_s
from heimdall.estimation.posterior_window import frame_around, window_cells
from heimdall.estimation.search import ModelledScenes
from heimdall.evidence.batch import EvidenceBatch, concatenate

if TYPE_CHECKING:
    from jaxtyping import Float

Values = NDArray[np.float64]
Chosen = NDArray[np.bool_]
_KINDS = ("time", "level", "both")
_LEVEL_FAULT_DB = 80.0
"""A faulty level is anywhere in a range of this width."""
_LEVEL_CONSTANT = 0.5 * math.log(2 * math.pi)
"""What the likelihood of levels leaves out for each of them."""
_CELLS = 24


@dataclass(frozen=True)
class Fault:
    """What a receiver is to be wrong about for the rest to fit: log odds of each kind of fault."""

    time: float
    level: float
    both: float


def _left_out(evidence: EvidenceBatch, kind: str, receivers: NDArray[np.int64]) -> tuple[EvidenceBatch, Values]:
    """One scene for each receiver without its time, level or both, and the log density of a fault of those."""
    others = np.arange(evidence.present.shape[1]) != receivers[:, None]
    many = evidence.select(np.zeros(len(receivers), dtype=int))
    has_arrival = many.has_arrival & (others | (kind == "level"))
    has_level = many.has_level & (others | (kind == "time"))
    return replace(many, has_arrival=has_arrival, has_level=has_level), fault_density(evidence, kind)[0, receivers]


def fault_density(evidence: EvidenceBatch, kind: str) -> Float[Values, "B N"]:
    """Log density of a wrong time, level or both; -inf for a receiver that has nothing there to be wrong about."""
    timed, leveled = np.asarray(evidence.has_arrival), np.asarray(evidence.has_level)
    time_B1 = -np.log(fault_span_s(evidence.half_width_m[:, None]))
    level = _LEVEL_CONSTANT - math.log(_LEVEL_FAULT_DB)
    if kind == "both":
        return np.where(timed | leveled, timed * time_B1 + leveled * level, -np.inf)
    return np.where(timed, time_B1, -np.inf) if kind == "time" else np.where(leveled, level, -np.inf)


class FaultOdds:
    """Log odds of faults, each found once: methods that are compared all ask for those of the same evidence."""

    def __init__(self) -> None:
        self._known: dict[object, Values] = {}

    def of(self, evidence: EvidenceBatch, model: PropagationModel, receivers: NDArray[np.int64]) -> Values:
        """`log_odds`, computed once for each evidence."""
        key = (model, receivers.tobytes(), *(each.tobytes() for each in _arrays(evidence)))
        if key not in self._known:
            self._known[key] = log_odds(evidence, model, receivers)
        return self._known[key]


def log_odds(evidence: EvidenceBatch, model: PropagationModel, receivers: NDArray[np.int64]) -> Values:
    """Log odds of a fault of each of these receivers, in its time, its level or both, the place found anew without it."""
    kinds, _ = _odds_of_faults(evidence, model, receivers)
    return np.asarray(np.logaddexp.reduce(kinds - math.log(len(_KINDS)), axis=0))


def _arrays(evidence: EvidenceBatch) -> list[NDArray[np.generic]]:
    arrays: list[NDArray[np.generic]] = []

    def noted(values: NDArray[np.generic]) -> NDArray[np.generic]:
        arrays.append(values)
        return values

    evidence.changed(noted)
    return arrays


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
    scenes = ModelledScenes.of(batch, model)
    mode, _ = scenes.mode()
    frame = frame_around(mode, batch, model, _CELLS, density=scenes.density)
    place_m, log_area, blur_m = window_cells(batch, frame, _CELLS)
    value = scenes.density(place_m, blur_m) + log_area
    top = np.max(value, axis=1)
    return mode, top + np.log(np.sum(np.exp(value - top[:, None]), axis=1)) + 2 * np.log(frame.core_m)


def late_against_others(
    alone: EvidenceBatch, model: PropagationModel, place: Values, distance_m: Values, column: int
) -> float:
    """How late the receiver `column`, which `alone` leaves out, is at a place (1, 1, 2) by the others' emission time, in s."""
    emitted_s = alone.arrival_s[0] - distance_m * model.refractive_index / SPEED_OF_LIGHT_M_S
    others = np.asarray(alone.has_arrival[0])
    if int(np.sum(others)) == 1:
        return float(emitted_s[column] - emitted_s[others][0])
    late_N = arrival_residual_s(place, alone, model)[0, 0]
    return float(emitted_s[column] - np.median((emitted_s - late_N)[others]))
