"""From an observation to evidence: who is used for what, and why not."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.evidence.batch import WORST_CLOCK_S, EvidenceBatch
from heimdall.evidence.earth import EarthCells
from heimdall.evidence.iq.alignment import recorded_apart, too_narrow
from heimdall.evidence.iq.carrier import Carrier
from heimdall.evidence.iq.copies import copied
from heimdall.evidence.iq.drift import FASTEST_MOTION
from heimdall.evidence.iq.from_recordings import clock_carries_time
from heimdall.evidence.iq.sampled import Session, evidence_from_samples
from heimdall.evidence.numbers import TABLE_ARRIVAL_SIGMA_S, with_numbers
from heimdall.evidence.placement import with_place_errors
from heimdall.evidence.receiver_geometry import (
    clock_sigma_of,
    frame_of,
    geometry_fields,
    half_width_around,
    level_sigma_of,
    positions_in,
)
from heimdall.geometry import LocalFrame
from heimdall.observation import Observation, Reception
from heimdall.validation.reception import silence_flaw

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
_NAMED = 3
_FIGURE = re.compile(r"(?<!\w)-?\d[\d.]*(?:e[-+]?\d+)?(?!\w)")


@dataclass(frozen=True, eq=False)
class Collected:
    """Evidence of one observation (a batch of one), its frame, and for each reception why it is not used, or not for time."""

    observation: Observation
    evidence: EvidenceBatch
    frame: LocalFrame
    reasons: tuple[str | None, ...]
    joined: frozenset[int] = frozenset()
    """Receptions whose arrival times count in that of another receiver at their site."""
    recentred: bool = False
    """The frame's origin is where the transmitter is, far away; else in the receivers' middle."""
    earth: EarthCells | None = None
    """Where on the whole earth the transmitter is by its arrival times, coarsely; None where nobody looked."""

    @property
    def receivers_frame(self) -> LocalFrame:
        """The frame with its origin in the middle of the receivers, also where `frame` is recentred."""
        return frame_of(self.observation.usable) if self.recentred else self.frame

    @property
    def receivers_enu_m(self) -> NDArray[np.float64]:
        """(N, 3) the receivers in that frame."""
        return positions_in(self.receivers_frame, self.observation.usable)


def collect(observation: Observation) -> Collected:
    """Evidence from whatever the receivers gave: IQ of at least two of them, else arrival times and powers.

    Raises InputError where fewer than two receivers are left.
    """
    observation = _without_strangers(observation)
    usable = [index for index, reception in enumerate(observation.receptions) if reception.flaw is None]
    if len(usable) < 2:
        raise InputError(too_few(observation))
    receptions = [observation.receptions[index] for index in usable]
    frame = frame_of(receptions)
    position = positions_in(frame, receptions)
    extent_m = float(np.max(np.abs(position[:, :2])))
    half_width_m = half_width_around(extent_m, observation.transmitter_height_m)
    if sum(reception.samples is not None for reception in receptions) >= 2:
        evidence, told = _from_samples(observation, receptions, position, frame, half_width_m)
    else:
        told = {}
        evidence = _from_table(observation, receptions, position, frame, half_width_m)
    evidence = with_place_errors(evidence, receptions)
    reasons: list[str | None] = [reception.flaw for reception in observation.receptions]
    for column, index in enumerate(usable):
        reasons[index] = told.get(column) or _reason(receptions[column], evidence, column)
    return Collected(observation, evidence, frame, tuple(reasons))


def _without_strangers(observation: Observation) -> Observation:
    """The observation with a flaw on each recording that is a copy of another, holds too little of the channel, or was made at
    another time than the others."""
    receptions = list(observation.receptions)
    narrow = partial(too_narrow, bandwidth_hz=observation.bandwidth_hz)
    for find in (copied, narrow, recorded_apart):
        heard = [index for index, each in enumerate(receptions) if each.flaw is None and each.samples is not None]
        for column, reason in find([receptions[index] for index in heard]).items():
            receptions[heard[column]] = replace(receptions[heard[column]], flaw=reason)
    return replace(observation, receptions=tuple(receptions))


def too_few(observation: Observation) -> str:
    """What is wrong with several receivers is said once, also where only its figures differ."""
    alike: dict[str, list[Reception]] = {}
    for each in observation.receptions:
        if each.flaw is not None:
            alike.setdefault(_FIGURE.sub("", each.flaw), []).append(each)
    flaws = "; ".join(map(_flawed, alike.values()))
    count = len(observation.usable)
    why = f" ({flaws})" if flaws else ""
    return f"{observation.id}: {count} usable receiver{'s' * (count != 1)}, at least 2 are needed{why}"


def _flawed(receptions: Sequence[Reception]) -> str:
    first, *others = (each.receiver.name for each in receptions)
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    likewise = f" (likewise {', '.join(others[:_NAMED])}{more})" if others else ""
    return f"{first}{likewise}: {receptions[0].flaw}"


def _from_table(
    observation: Observation,
    receptions: Sequence[Reception],
    position_N3: NDArray[np.float64],
    frame: LocalFrame,
    half_width_m: float,
) -> EvidenceBatch:
    """Evidence from arrival times and powers that come as numbers."""
    known = geometry_fields(observation, receptions, position_N3, frame, half_width_m)
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
        level_sigma_db=np.array([[level_sigma_of(reception) for reception in receptions]]),
        has_level=np.isfinite(level),
        snr=np.zeros_like(level),
        bandwidth_hz=np.array([observation.bandwidth_hz], dtype=float),
        silent=silent if silent.any() else None,
        **{**known, "clock_sigma_s": np.minimum(known["clock_sigma_s"], WORST_CLOCK_S)},
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
        level_sigma_db_N=np.array([level_sigma_of(receptions[index]) for index in heard]),
        known=geometry_fields(observation, [receptions[i] for i in heard], position_N3[heard], frame, half_width_m),
    )
    sampled = evidence_from_samples([receptions[index] for index in heard], session)
    wide = _spread(sampled.evidence, heard, receptions, position_N3)
    timed = clock_carries_time(np, wide.clock_sigma_s, wide.half_width_m)[0]
    evidence, reasons = with_numbers(wide, receptions, timed)
    carriers = {
        heard[index]: _carrier_text(carrier, observation.frequency_hz) for index, carrier in sampled.carriers.items()
    }
    drifts = {heard[index]: _drift_text(rate) for index, rate in sampled.drift_rates.items()}
    return evidence, {**drifts, **carriers, **reasons}


def _carrier_text(carrier: Carrier, frequency_hz: float) -> str:
    found = []
    if carrier.mirrored:
        found.append("its spectrum is mirrored, as by swapped I and Q: that was undone")
    if carrier.offset_hz:
        parts = carrier.offset_hz / frequency_hz * 1e6
        found.append(
            f"its carrier is {carrier.offset_hz:+.0f} Hz ({parts:+.2f} ppm) off, as {carrier.oscillator} can be: "
            "the offset was found and removed"
        )
    return "; ".join(found)


def _drift_text(rate: float) -> str:
    """In words; what is taken off, or left uncertain, is said by `without_drift`."""
    parts = f"{rate * 1e6:+.2f} ppm against the other receivers"
    if abs(rate) < FASTEST_MOTION:
        return f"its arrival time drifts by {parts}, by motion or by its sample clock: it is uncertain by as much"
    return f"its samples are not taken at the rate stated ({parts}): that was found, and the start time counts"


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
    wide["clock_sigma_s"][0, others] = [min(clock_sigma_of(receptions[index]), WORST_CLOCK_S) for index in others]
    wide["level_sigma_db"][0, others] = [level_sigma_of(receptions[index]) for index in others]
    wide["silent"] = None if evidence.silent is None else laid(evidence.silent)
    return replace(evidence, position_enu_m=position_M3[None], present=np.ones((1, total), dtype=bool), **wide)


def _reason(reception: Reception, evidence: EvidenceBatch, column: int) -> str | None:
    """Why a sound reception is not used at all, or not for time; None where nothing is to be said."""
    has_arrival, has_level = bool(evidence.has_arrival[0, column]), bool(evidence.has_level[0, column])
    if has_arrival:
        return None
    sigma_s = clock_sigma_of(reception)
    if reception.samples is None and reception.toa_s is None:
        if has_level:
            return None
        return silence_flaw(reception.sensitivity_dbm) or "heard nothing: used as a power below its sensitivity"
    if math.isinf(sigma_s):
        why = "no clock"
    elif not clock_carries_time(np, np.array([[sigma_s]]), evidence.half_width_m)[0, 0]:
        area_km = 2 * float(evidence.half_width_m[0]) / 1e3
        why = f"clock of {sigma_s:.2g} s is too poor for an area of {area_km:.0f} km"
    else:
        why = "no arrival time that agrees with the other receivers"
    return f"{why}: power only" if has_level else f"{why}, and no power above the noise"
