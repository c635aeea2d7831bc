"""From an observation to evidence: who is used for what, and why not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import AIRBORNE_HEIGHT_M, SPEED_OF_LIGHT_M_S
from heimdall.errors import InputError
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.iq.alignment import recorded_apart
from heimdall.evidence.iq.carrier import Carrier
from heimdall.evidence.iq.copies import copied
from heimdall.evidence.iq.recording import DEFAULT_LEVEL_SIGMA_DB, clock_carries_time
from heimdall.evidence.iq.sampled import Session, evidence_from_samples
from heimdall.evidence.numbers import TABLE_ARRIVAL_SIGMA_S, with_numbers
from heimdall.evidence.placement import with_place_errors
from heimdall.geometry import LocalFrame
from heimdall.observation import Observation, Receiver, Reception

_AREA_FACTOR = 2.0
_MIN_HALF_WIDTH_M = 500.0
_AIRBORNE_REACH_M = 350_000.0
"""How much further a transmitter high above ground is heard."""
LEFT_OUT = "left out"
MEASURED = (
    "arrival_s",
    "arrival_sigma_s",
    "clock_sigma_s",
    "has_arrival",
    "level_db",
    "level_sigma_db",
    "has_level",
    "snr",
)
"""What was measured by each receiver, and how well, whatever its place."""
_OSCILLATOR_OFFSET = 0.3e-6
_MIN_OFFSET_HZ = 2.0
_MAX_OFFSET_HZ = 300.0


@dataclass(frozen=True, eq=False)
class Collected:
    """Evidence of one observation (a batch of one), its frame, and for each reception why it is not used, or not for time."""

    observation: Observation
    evidence: EvidenceBatch
    frame: LocalFrame
    reasons: tuple[str | None, ...]


def collect(observation: Observation) -> Collected:
    """Evidence from whatever the receivers gave: IQ of at least two of them, else arrival times and powers.

    Raises InputError where fewer than two receivers are left.
    """
    observation = _without_strangers(observation)
    usable = [index for index, reception in enumerate(observation.receptions) if reception.flaw is None]
    if len(usable) < 2:
        raise InputError(_too_few(observation))
    receptions = [observation.receptions[index] for index in usable]
    frame = _frame_around(receptions)
    position = _positions(frame, receptions)
    extent_m = float(np.max(np.abs(position[:, :2])))
    half_width_m = half_width_around(extent_m, observation.transmitter_height_m)
    if sum(reception.samples is not None for reception in receptions) >= 2:
        evidence, told = _from_samples(observation, receptions, position, frame, half_width_m)
    else:
        told = {}
        evidence = _from_table(observation, receptions, position, frame, half_width_m)
    evidence = with_place_errors(evidence, receptions)
    reasons: list[str | None] = [reception.flaw for reception in observation.receptions]
    for place, index in enumerate(usable):
        reasons[index] = told.get(place) or _reason(receptions[place], evidence, place, half_width_m)
    return Collected(observation, evidence, frame, tuple(reasons))


def _without_strangers(observation: Observation) -> Observation:
    """The observation with a flaw on each recording that is a copy of another, or was made at another time than the others."""
    receptions = list(observation.receptions)
    for find in (copied, recorded_apart):
        heard = [index for index, each in enumerate(receptions) if each.flaw is None and each.samples is not None]
        for place, reason in find([receptions[index] for index in heard]).items():
            receptions[heard[place]] = replace(receptions[heard[place]], flaw=reason)
    return replace(observation, receptions=tuple(receptions))


def _too_few(observation: Observation) -> str:
    flaws = "; ".join(f"{r.receiver.name}: {r.flaw}" for r in observation.receptions if r.flaw is not None)
    count = sum(reception.flaw is None for reception in observation.receptions)
    why = f" ({flaws})" if flaws else ""
    return f"{observation.id}: {count} usable receiver{'s' * (count != 1)}, at least 2 are needed{why}"


def _frame_around(receptions: Sequence[Reception]) -> LocalFrame:
    return LocalFrame.around(
        np.array([reception.receiver.latitude_deg for reception in receptions]),
        np.array([reception.receiver.longitude_deg for reception in receptions]),
    )


def _positions(frame: LocalFrame, receptions: Sequence[Reception]) -> NDArray[np.float64]:
    receivers = [reception.receiver for reception in receptions]
    return frame.to_enu(
        np.array([receiver.latitude_deg for receiver in receivers]),
        np.array([receiver.longitude_deg for receiver in receivers]),
        np.array([receiver.height_m for receiver in receivers]),
    )


def half_width_around(extent_m: float, transmitter_height_m: float | None) -> float:
    """The scale of a network whose furthest receiver is `extent_m` east or north of the middle: half the side of the square
    that is searched most finely. Twice as far out as the receivers, and the line of sight of an aircraft."""
    extent_m = max(extent_m, _MIN_HALF_WIDTH_M)
    if transmitter_height_m is not None and transmitter_height_m > AIRBORNE_HEIGHT_M:
        return extent_m + _AIRBORNE_REACH_M
    return _AREA_FACTOR * extent_m


def _geometry(
    observation: Observation,
    receptions: Sequence[Reception],
    position_N3: NDArray[np.float64],
    frame: LocalFrame,
    half_width_m: float,
) -> dict[str, Any]:
    """The fields of a batch of one that no measurement touches."""
    height_m = observation.transmitter_height_m
    if height_m is None:
        height_m = float(np.mean([reception.receiver.height_m for reception in receptions]))
    return {
        "position_enu_m": position_N3[None],
        "present": np.ones((1, len(receptions)), dtype=bool),
        "clock_sigma_s": np.array([[_clock_sigma_s(reception) for reception in receptions]]),
        "curvature_per_m": np.array([frame.curvature_per_m]),
        "transmitter_height_m": np.array([height_m]),
        "half_width_m": np.array([half_width_m]),
    }


def _clock_sigma_s(reception: Reception) -> float:
    sigma = reception.receiver.clock_sigma_s
    return math.inf if sigma is None else sigma


def _level_sigma_db(reception: Reception) -> float:
    if reception.rssi_sigma_db is not None:
        return reception.rssi_sigma_db
    stated = reception.receiver.level_sigma_db
    return DEFAULT_LEVEL_SIGMA_DB if stated is None else stated


def _from_table(
    observation: Observation,
    receptions: Sequence[Reception],
    position_N3: NDArray[np.float64],
    frame: LocalFrame,
    half_width_m: float,
) -> EvidenceBatch:
    """Evidence from arrival times and powers that come as numbers."""
    known = _geometry(observation, receptions, position_N3, frame, half_width_m)
    arrival = np.array([[math.nan if r.toa_s is None else r.toa_s for r in receptions]])
    level = np.array([[math.nan if r.rssi_dbm is None else r.rssi_dbm for r in receptions]])
    limit = np.array([[math.nan if r.sensitivity_dbm is None else r.sensitivity_dbm for r in receptions]])
    silent = np.isnan(level) & np.isnan(arrival) & np.isfinite(limit)
    has_arrival = np.isfinite(arrival) & clock_carries_time(np, known["clock_sigma_s"], known["half_width_m"])
    origin = np.nanmin(arrival) if np.any(np.isfinite(arrival)) else 0.0
    return EvidenceBatch(
        arrival_s=np.where(has_arrival, arrival - origin, 0.0),
        arrival_sigma_s=np.full_like(arrival, TABLE_ARRIVAL_SIGMA_S),
        has_arrival=has_arrival,
        level_db=np.nan_to_num(np.where(silent, limit, level)),
        level_sigma_db=np.array([[_level_sigma_db(reception) for reception in receptions]]),
        has_level=np.isfinite(level),
        snr=np.zeros_like(level),
        bandwidth_hz=np.array([observation.bandwidth_hz], dtype=float),
        silent=silent if silent.any() else None,
        **{**known, "clock_sigma_s": np.minimum(known["clock_sigma_s"], 1.0)},
    )


def _from_samples(
    observation: Observation,
    receptions: Sequence[Reception],
    position_N3: NDArray[np.float64],
    frame: LocalFrame,
    half_width_m: float,
) -> tuple[EvidenceBatch, dict[int, str]]:
    """Evidence from IQ, joined by the numbers of receivers that give some; and what is to be said of a receiver."""
    heard = [index for index, reception in enumerate(receptions) if reception.samples is not None]
    session = Session(
        bandwidth_hz=observation.bandwidth_hz,
        frequency_hz=observation.frequency_hz,
        max_offset_hz=max_offset_hz(observation.frequency_hz),
        level_sigma_db_N=np.array([_level_sigma_db(receptions[index]) for index in heard]),
        known=_geometry(observation, [receptions[i] for i in heard], position_N3[heard], frame, half_width_m),
    )
    sampled = evidence_from_samples([receptions[index] for index in heard], session)
    wide = _spread(sampled.evidence, heard, receptions, position_N3)
    timed = clock_carries_time(np, wide.clock_sigma_s, wide.half_width_m)[0]
    evidence, reasons = with_numbers(wide, receptions, timed)
    carriers = {
        heard[index]: _carrier_text(carrier, observation.frequency_hz) for index, carrier in sampled.carriers.items()
    }
    return evidence, {**carriers, **reasons}


def _carrier_text(carrier: Carrier, frequency_hz: float) -> str:
    parts = carrier.offset_hz / frequency_hz * 1e6
    return (
        f"its carrier is {carrier.offset_hz:+.0f} Hz ({parts:+.2f} ppm) off, as {carrier.oscillator} can be: "
        "the offset was found and removed"
    )


def max_offset_hz(frequency_hz: float) -> float:
    """Carrier offset between two receivers to search: crystal oscillators of a few tenths of a part per million."""
    wanted = 45.0 if frequency_hz > 3e6 else _MIN_OFFSET_HZ
    return min(_MAX_OFFSET_HZ, max(wanted, _OSCILLATOR_OFFSET * frequency_hz))


def _spread(
    evidence: EvidenceBatch, heard: list[int], receptions: Sequence[Reception], position_M3: NDArray[np.float64]
) -> EvidenceBatch:
    """The evidence of those with IQ laid among all receptions; the others are present without a measurement."""
    total = len(receptions)

    def laid(values: NDArray[np.float64]) -> NDArray[np.float64]:
        wide = np.zeros((1, total, *values.shape[2:]), dtype=values.dtype)
        wide[:, heard] = values
        return wide

    if len(heard) == total:
        return evidence
    wide: dict[str, Any] = {name: laid(getattr(evidence, name)) for name in MEASURED}
    others = [index for index in range(total) if index not in set(heard)]
    wide["clock_sigma_s"][0, others] = [min(_clock_sigma_s(receptions[index]), 1.0) for index in others]
    wide["level_sigma_db"][0, others] = [_level_sigma_db(receptions[index]) for index in others]
    wide["silent"] = None if evidence.silent is None else laid(evidence.silent)
    return replace(evidence, position_enu_m=position_M3[None], present=np.ones((1, total), dtype=bool), **wide)


def _reason(reception: Reception, evidence: EvidenceBatch, place: int, half_width_m: float) -> str | None:
    """Why a sound reception is not used at all, or not for time; None where nothing is to be said."""
    has_arrival, has_level = bool(evidence.has_arrival[0, place]), bool(evidence.has_level[0, place])
    if has_arrival:
        return None
    sigma = reception.receiver.clock_sigma_s
    if reception.samples is None and reception.toa_s is None:
        if has_level:
            return None
        if reception.sensitivity_dbm is not None:
            return "heard nothing: used as a power below its sensitivity"
        return "no signal: neither an arrival time nor a power; with sensitivity_dbm its silence would count"
    if sigma is None:
        why = "no clock"
    elif sigma * SPEED_OF_LIGHT_M_S >= 0.25 * half_width_m:
        why = f"clock of {sigma:.2g} s is too poor for an area of {2 * half_width_m / 1e3:.0f} km"
    else:
        why = "no arrival time that agrees with the other receivers"
    return f"{why}: power only" if has_level else f"{why}, and no power above the noise"


def redescribed(collected: Collected, receivers: Mapping[int, Receiver | None]) -> Collected:
    """The same measurements where some receptions' receivers are described otherwise, or left out (None).

    The times and levels that were found stay as they are; frame, places and area are made anew, without a radio map. Raises
    InputError where fewer than two receivers are left.
    """
    receptions = tuple(
        _described(reception, receivers[index]) if index in receivers else reception
        for index, reception in enumerate(collected.observation.receptions)
    )
    observation = replace(collected.observation, receptions=receptions)
    usable = [index for index, each in enumerate(receptions) if each.flaw is None]
    if len(usable) < 2:
        raise InputError(_too_few(observation))
    before = [index for index, each in enumerate(collected.observation.receptions) if each.flaw is None]
    columns = [before.index(index) for index in usable]
    kept = [receptions[index] for index in usable]
    frame = _frame_around(kept)
    position = _positions(frame, kept)
    half_width_m = half_width_around(float(np.max(np.abs(position[:, :2]))), observation.transmitter_height_m)
    geometry = _geometry(observation, kept, position, frame, half_width_m)
    measured = {name: getattr(collected.evidence, name)[:, columns] for name in MEASURED}
    silent = None if collected.evidence.silent is None else collected.evidence.silent[:, columns]
    evidence = replace(collected.evidence, mapped=None, silent=silent, **{**geometry, **measured})
    reasons = [each.flaw or reason for each, reason in zip(receptions, collected.reasons, strict=True)]
    return Collected(observation, evidence, frame, tuple(reasons))


def _described(reception: Reception, receiver: Receiver | None) -> Reception:
    return replace(reception, flaw=LEFT_OUT) if receiver is None else replace(reception, receiver=receiver)
