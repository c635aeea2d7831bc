"""What cannot be right about a reception, found once for every reader and said in its `flaw`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from heimdall.errors import InputError
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Observation, Receiver, Reception

_SAME_PLACE_M = 1.0
_SAME_PLACE_DEG = 1e-4
"""Latitudes further apart than this are more than 10 m apart: no need to measure."""
_HEIGHT_RANGE_M = (-1000.0, 100_000.0)
_MIN_SAMPLES = 64


def vet(observation: Observation) -> Observation:
    """The observation with a `flaw` on every reception that must not be used; nothing is dropped or mended.

    A flaw that the reader found stays. Of two receivers with one name or at one place the first is kept. A receiver without
    a clock is no flaw as long as it has heard a power. Raises InputError for fewer than two receivers.
    """
    if len(observation.receptions) < 2:
        count = len(observation.receptions)
        raise InputError(f"{observation.id}: {count or 'no'} receiver, at least 2 are needed to locate a transmitter")
    vetted: list[Reception] = []
    for reception in observation.receptions:
        flaw = reception.flaw or _flaw(reception) or _duplicate(reception.receiver, _sound(vetted))
        vetted.append(replace(reception, flaw=flaw))
    return replace(observation, receptions=tuple(vetted))


def _sound(receptions: Iterable[Reception]) -> list[Receiver]:
    return [reception.receiver for reception in receptions if reception.flaw is None]


def _flaw(reception: Reception) -> str | None:
    """The first thing wrong with a reception by itself."""
    receiver = reception.receiver
    return place_flaw(receiver) or _uncertainty_flaw(reception) or _signal_flaw(reception)


def has_place(receiver: Receiver) -> bool:
    """Whether its place can be right."""
    return place_flaw(receiver) is None


def place_flaw(receiver: Receiver) -> str | None:
    """What cannot be right about a receiver's place; None: nothing."""
    latitude, longitude, height = receiver.latitude_deg, receiver.longitude_deg, receiver.height_m
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return "its position is not known"
    if latitude == 0 and longitude == 0:
        return "its position is (0, 0), which stands for none"
    if abs(latitude) > 90 or abs(longitude) > 180:
        return f"its position ({latitude:.6g}, {longitude:.6g}) is not on the globe"
    if not _HEIGHT_RANGE_M[0] <= height <= _HEIGHT_RANGE_M[1]:
        return f"its height of {height:.6g} m cannot be right"
    return None


def _uncertainty_flaw(reception: Reception) -> str | None:
    receiver = reception.receiver
    stated = {
        "clock uncertainty": receiver.clock_sigma_s,
        "level uncertainty": receiver.level_sigma_db,
        "power uncertainty": reception.rssi_sigma_db,
    }
    wrong = [name for name, sigma in stated.items() if sigma is not None and not (math.isfinite(sigma) and sigma >= 0)]
    return f"its {wrong[0]} of {stated[wrong[0]]} cannot be right" if wrong else None


def _signal_flaw(reception: Reception) -> str | None:
    if reception.samples is not None:
        return _sample_flaw(reception)
    if reception.toa_s is None and reception.rssi_dbm is None:
        return "no signal"
    if reception.toa_s is not None and not math.isfinite(reception.toa_s):
        return "its arrival time is not a number"
    if reception.rssi_dbm is not None and not math.isfinite(reception.rssi_dbm):
        return "its received power is not a number"
    if reception.rssi_dbm is None and reception.receiver.clock_sigma_s is None:
        return "no clock: its arrival time says nothing, and it has no received power"
    return None


def _sample_flaw(reception: Reception) -> str | None:
    samples, rate_hz = reception.samples, reception.sample_rate_hz
    assert samples is not None
    if rate_hz is None or not (math.isfinite(rate_hz) and rate_hz > 0):
        return f"its sample rate of {rate_hz} cannot be right"
    if not math.isfinite(reception.start_s):
        return "its start time is not a number"
    if len(samples) < _MIN_SAMPLES:
        return f"no signal: only {len(samples)} samples"
    broken = int(np.sum(~np.isfinite(samples)))
    if broken:
        return f"{broken} of its {len(samples)} samples are not numbers"
    if np.all(samples == samples[0]):
        return "no signal: all samples are the same"
    return None


def _duplicate(receiver: Receiver, earlier: Sequence[Receiver]) -> str | None:
    for other in earlier:
        if receiver.name == other.name:
            return f"a receiver named {other.name} was there before"
        if _at_one_place(receiver, other):
            return f"it stands where {other.name} stands"
    return None


def _at_one_place(a: Receiver, b: Receiver) -> bool:
    """Within a metre of each other, also in height: two antennas up one mast are two places."""
    if abs(a.latitude_deg - b.latitude_deg) > _SAME_PLACE_DEG or abs(a.height_m - b.height_m) > _SAME_PLACE_M:
        return False
    return geodesic_distance_m(a.latitude_deg, a.longitude_deg, b.latitude_deg, b.longitude_deg) < _SAME_PLACE_M
