"""How far each receiver of an observation is from what the others say: residuals that it has no part in itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.errors import InputError
from heimdall.estimation.likelihood import arrival_residual_s, link_distance_m, link_sigma_s
from heimdall.estimation.locate import model_of
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.search import find_mode, log_posterior
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected, collect
from heimdall.observation import Observation

Values = NDArray[np.float64]
_TIMES_FOR_A_PLACE = 3
_TIMES_AT_A_PLACE = 1
_FEWEST_LEVELS = 3
"""Others that must have measured it, with the transmitter's place unknown, known, and for levels."""


@dataclass(frozen=True)
class Residual:
    """What one observation says about one receiver; None where it cannot tell."""

    receiver: str
    used: bool
    reason: str | None
    late_s: float | None = None
    late_sigma_s: float | None = None
    """As its clock, noise and the model's multipath have it."""
    level_db: float | None = None
    """Above what the others let expect."""
    toward: tuple[float, float] = (0.0, 0.0)
    """East and north of the unit vector from the transmitter to the receiver."""


def residuals_of(observation: Observation) -> list[Residual]:
    """One for each reception, each against the place and the time of emission without it, or against the known transmitter.

    Empty for an observation that cannot be located.
    """
    try:
        collected = collect(observation)
    except InputError:
        return []
    model = model_of(collected)
    places = _places_without(collected, model)
    sound = iter(range(len(places)))
    return [
        Residual(reception.receiver.name, False, reception.flaw)
        if reception.flaw is not None
        else _residual(collected, model, places, next(sound), reception.receiver.name, reason)
        for reception, reason in zip(observation.receptions, collected.reasons, strict=True)
    ]


def _places_without(collected: Collected, model: PropagationModel) -> Values:
    """(N, 2) the known transmitter, or the fix without each receiver."""
    evidence, truth = collected.evidence, collected.observation.truth
    count = evidence.present.shape[1]
    if truth is not None:
        height_m = float(evidence.transmitter_height_m[0]) if truth.height_m is None else truth.height_m
        place = collected.frame.to_enu(np.array(truth.latitude_deg), np.array(truth.longitude_deg), np.array(height_m))
        return np.tile(place[:2], (count, 1))
    without = _without_each(evidence)
    return np.asarray(find_mode(without, log_posterior(without, model))[0])


def _without_each(evidence: EvidenceBatch) -> EvidenceBatch:
    count = evidence.present.shape[1]
    others = ~np.eye(count, dtype=bool)
    many = evidence.select(np.zeros(count, dtype=int))
    return replace(many, has_arrival=many.has_arrival & others, has_level=many.has_level & others)


def _residual(
    collected: Collected, model: PropagationModel, places: Values, column: int, name: str, reason: str | None
) -> Residual:
    evidence = collected.evidence
    timed, leveled = evidence.has_arrival[0].copy(), evidence.has_level[0].copy()
    used = bool(timed[column] or leveled[column])
    at_a_place = collected.observation.truth is not None
    others = np.arange(len(timed)) != column
    place = places[column][None, None]
    distance_m = link_distance_m(place, evidence, model)[0, 0]
    sight = np.asarray(evidence.position_enu_m[0, column, :2]) - places[column]
    length = max(float(np.linalg.norm(sight)), 1e-9)
    told = Residual(name, used, reason, toward=(float(sight[0]) / length, float(sight[1]) / length))
    if timed[column] and np.sum(timed & others) >= (_TIMES_AT_A_PLACE if at_a_place else _TIMES_FOR_A_PLACE):
        late_s = _late_s(evidence, model, place, distance_m, column)
        told = replace(told, late_s=late_s, late_sigma_s=float(link_sigma_s(evidence, model)[0, column]))
    if leveled[column] and np.sum(leveled & others) >= _FEWEST_LEVELS:
        decades = np.log10(np.maximum(distance_m, model.min_distance_m))
        power_db = evidence.level_db[0] + 10 * model.exponent_mean * decades
        told = replace(told, level_db=float(power_db[column] - np.median(power_db[leveled & others])))
    return told


def _late_s(evidence: EvidenceBatch, model: PropagationModel, place: Values, distance_m: Values, column: int) -> float:
    """Against the time of emission that the others have."""
    others = np.arange(len(distance_m)) != column
    alone = replace(evidence, has_arrival=evidence.has_arrival & others)
    flight_s = distance_m * model.refractive_index / SPEED_OF_LIGHT_M_S
    emitted_s = evidence.arrival_s[0] - flight_s
    if int(np.sum(alone.has_arrival)) == 1:
        start_s = float(emitted_s[np.flatnonzero(alone.has_arrival[0])[0]])
    else:
        late_N = arrival_residual_s(place, alone, model)[0, 0]
        start_s = float(np.median((emitted_s - late_N)[alone.has_arrival[0]]))
    late_s = float(emitted_s[column]) - start_s
    assert math.isfinite(late_s)
    return late_s
