"""How far each receiver of an observation is from what the others say: residuals that it has no part in itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.estimation.integrity.fault_odds import late_against_others
from heimdall.estimation.likelihood.arrival_times import link_distance_m, link_sigma_s
from heimdall.estimation.model import PropagationModel, model_of
from heimdall.estimation.search import ModelledScenes
from heimdall.estimation.whole_earth import recentred_on_place, recentred_on_transmitter
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
    agreement: float | None = None
    """How well the others agree when it is left out, against leaving out another; None where the transmitter is known."""
    sight_m: tuple[float, float] = (0.0, 0.0)
    """East and north, from the transmitter to where the receiver says it is."""
    time_utc: datetime | None = None
    """Of the observation."""


def residuals_of(observation: Observation, distrusted: Collection[str] = ()) -> list[Residual]:
    """One for each reception, each against the place and the emission time without it, or against the known transmitter.

    Those who are distrusted have no say about the others. Empty for an observation that cannot be located.
    """
    try:
        collected = collect(observation)
    except InputError:
        return []
    truth = observation.truth
    if truth is None:
        collected = recentred_on_transmitter(collected)
    else:
        collected = recentred_on_place(collected, truth.latitude_deg, truth.longitude_deg)
    trusted = np.array([each.name not in distrusted for each in observation.usable_receivers])
    left_out = _left_out(collected, trusted)
    columns = iter(range(len(trusted)))
    return [
        Residual(reception.receiver.name, False, reception.flaw)
        if reception.flaw is not None
        else replace(_residual(left_out, next(columns)), reason=reason)
        for reception, reason in zip(observation.receptions, collected.reasons, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _LeftOut:
    """An observation without each of its N receivers in turn."""

    collected: Collected
    model: PropagationModel
    others: EvidenceBatch
    """A scene for each receiver, with the others alone."""
    place_N2: Values
    """The known transmitter, or where the others alone place it."""
    agreement: Sequence[float | None]
    """How well they agree there; see `Residual`."""


def _left_out(collected: Collected, trusted: NDArray[np.bool_]) -> _LeftOut:
    model, others = model_of(collected), _without_each(collected.evidence, trusted)
    return _LeftOut(collected, model, others, *_places_without(collected, others, model))


def _without_each(evidence: EvidenceBatch, trusted: NDArray[np.bool_]) -> EvidenceBatch:
    """One scene for each receiver, with the others alone."""
    count = evidence.present.shape[1]
    others = ~np.eye(count, dtype=bool) & trusted
    many = evidence.select(np.zeros(count, dtype=int))
    return replace(many, has_arrival=many.has_arrival & others, has_level=many.has_level & others)


def _places_without(
    collected: Collected, without: EvidenceBatch, model: PropagationModel
) -> tuple[Values, list[float | None]]:
    """(N, 2) the known transmitter, or the fix without each receiver; and how well the others agree there."""
    evidence, truth = collected.evidence, collected.observation.truth
    count = len(without)
    if truth is not None:
        height_m = float(evidence.transmitter_height_m[0]) if truth.height_m is None else truth.height_m
        place = collected.frame.horizontal_m(truth.latitude_deg, truth.longitude_deg, height_m)
        return np.tile(place, (count, 1)), [None] * count
    mode, value = ModelledScenes.of(without, model).mode()
    # A precise receiver that is left out takes a high density with it, whether it is right or wrong.
    own = np.where(evidence.has_arrival[0], -np.log(link_sigma_s(evidence, model)[0]), 0.0)
    agreement = np.asarray(value) + own
    return np.asarray(mode), [float(each) for each in agreement - np.median(agreement)]


def _residual(left_out: _LeftOut, column: int) -> Residual:
    """The residual of one receiver against the others."""
    collected, model = left_out.collected, left_out.model
    evidence, others = collected.evidence, left_out.others.select(slice(column, column + 1))
    place_m = left_out.place_N2[column]
    distance_m = link_distance_m(place_m[None, None], evidence, model)[0, 0]
    east_m, north_m = np.asarray(evidence.position_enu_m[0, column, :2]) - place_m
    timed, leveled = bool(evidence.has_arrival[0, column]), bool(evidence.has_level[0, column])
    found = Residual(
        receiver=collected.observation.usable_receivers[column].name,
        used=timed or leveled,
        reason=None,
        agreement=left_out.agreement[column],
        sight_m=(float(east_m), float(north_m)),
        time_utc=collected.observation.time_utc,
    )
    needed = _TIMES_FOR_A_PLACE if collected.observation.truth is None else _TIMES_AT_A_PLACE
    if timed and np.sum(others.has_arrival) >= needed:
        late_s = late_against_others(others, model, place_m[None, None], distance_m, column)
        found = replace(found, late_s=late_s, late_sigma_s=float(link_sigma_s(evidence, model)[0, column]))
    if leveled and np.sum(others.has_level) >= _FEWEST_LEVELS:
        decades = np.log10(np.maximum(distance_m, model.min_distance_m))
        power_db = evidence.level_db[0] + 10 * model.exponent_mean * decades
        found = replace(found, level_db=float(power_db[column] - np.median(power_db[others.has_level[0]])))
    return found
