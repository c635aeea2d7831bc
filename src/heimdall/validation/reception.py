"""What cannot be right about a reception, said in its `flaw` for every reader."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heimdall.arrays import largest
from heimdall.constants import UNITS_S
from heimdall.errors import InputError
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Observation, Receiver, Reception
from heimdall.validation.doubts import doubts
from heimdall.validation.placeholders import names_text, placeholder_time_s, placeholder_time_text
from heimdall.validation.possible_places import is_height, place_flaw, position_flaw
from heimdall.validation.recorded_width import within_recordings
from heimdall.validation.unusable_powers import power_flaw

NO_SAMPLES = "it holds no samples"
"""The flaw of an empty recording, whoever finds it: what else would be said of it, as of its time, misleads."""
_SAME_PLACE_M = 1.0
_SAME_PLACE_DEG = 1e-4
"""Latitudes further apart than this are more than 10 m apart: no need to measure."""
_POWER_RANGE_DBM = (-400.0, 300.0)
_MOST_TIME_S = 1e11
"""Three thousand years: no clock counts further."""
_MOST_UNIX_S = 2.0**32
"""Until 2106 times since 1970 are less."""
_MOST_SIGMA = {
    "clock uncertainty": 1e11,
    "level uncertainty": 1000.0,
    "power uncertainty": 1000.0,
    "position uncertainty": 1e8,
}
_FREQUENCY_RANGE_HZ = (1e-3, 1e15)
_RATE_RANGE_HZ = (1e-3, 1e13)
_MOST_SAMPLE = 1e15
"""Squared and summed over the longest recording it still is a number of single precision."""
_STANDS_FOR_NONE = "it is taken to stand for none and not used; make `toa_s` null"
_MIN_SAMPLES = 64
_MOST_LOOKED_AT = 1 << 12
_THIN = 1e-6
"""60 dB: a carrier in phase with its receiver's oscillator has noise across it."""


def vet(observation: Observation) -> Observation:
    """The observation with a `flaw` on every reception that must not be used; see `flagged`.

    Raises InputError for fewer than two receivers, and for a figure of the whole observation that cannot be right.
    """
    if len(observation.receptions) < 2:
        count = len(observation.receptions)
        raise InputError(f"{observation.id}: {count or 'no'} receiver, at least 2 are needed to locate a transmitter")
    return flagged(observation)


def flagged(observation: Observation) -> Observation:
    """The observation with a `flaw` on every reception that must not be used; nothing is mended, and once more changes nothing.

    What is doubtful gets a note (see `heimdall.validation.doubts`), and so does a known transmitter whose place cannot be
    right, which is left out. A flaw that the reader found stays. Of two receivers with one name or at one place the first is
    kept. A receiver without a clock is no flaw as long as it has heard a power. Powers that cannot be in dBm are left out, and so
    is what a stated channel has beyond the recordings. Raises InputError for a figure of the whole observation that cannot be
    right.
    """
    _check(observation)
    observation = _with_possible_truth(observation)
    vetted: list[Reception] = []
    for reception in observation.receptions:
        flaw = reception.flaw or _flaw(reception) or _duplicate(reception.receiver, _sound(vetted))
        vetted.append(replace(reception, flaw=flaw))
    notes = observation.notes
    if (placeholder_s := placeholder_time_s(vetted)) is not None:
        names = names_text([each.receiver.name for each in vetted if each.toa_s == placeholder_s])
        vetted = [_without_time(each, placeholder_s) for each in vetted]
        notes = (*notes, f"{names} report {placeholder_time_text(placeholder_s)}: {_STANDS_FOR_NONE}")
    if flaw_of_all := power_flaw(vetted):
        vetted = [_without_power(each, flaw_of_all.ask) for each in vetted]
        notes = (*notes, f"the received powers are not used: {flaw_of_all.why}: {flaw_of_all.ask}")
    used = within_recordings(replace(observation, receptions=tuple(vetted), notes=notes))
    # Doubts of what is used, last: those of what was left out would be new ones when it is looked at again.
    return replace(used, notes=used.notes + tuple(note for note in doubts(used) if note not in used.notes))


def _without_time(reception: Reception, placeholder_s: float) -> Reception:
    """A time that stands for none takes its receiver along, unless that has a power: it is not known to have heard nothing."""
    if reception.flaw is not None or reception.samples is not None or reception.toa_s != placeholder_s:
        return reception
    if reception.rssi_dbm is None:
        return replace(reception, flaw=f"{placeholder_time_text(placeholder_s)}: {_STANDS_FOR_NONE}")
    return replace(reception, toa_s=None, toa_step_s=None)


def _without_power(reception: Reception, ask: str) -> Reception:
    """A power that must not be used takes its receiver along, unless that has a time or a recording to use instead."""
    if reception.flaw is not None or reception.rssi_dbm is None:
        return reception
    timed = reception.toa_s is not None and reception.receiver.clock_sigma_s is not None
    if reception.samples is None and not timed:
        return replace(reception, flaw=f"its received power of {reception.rssi_dbm:.6g} dBm cannot be right: {ask}")
    return replace(reception, rssi_dbm=None, sensitivity_dbm=None)


def _check(observation: Observation) -> None:
    """Raises InputError for a figure of the whole observation that cannot be right."""
    for name, hertz in (("frequency", observation.frequency_hz), ("bandwidth", observation.bandwidth_hz)):
        if not _FREQUENCY_RANGE_HZ[0] <= hertz <= _FREQUENCY_RANGE_HZ[1]:
            raise InputError(f"{observation.id}: its {name} of {hertz:.6g} Hz cannot be right")
    truth = observation.truth
    for name, height_m in (
        ("transmitter height", observation.transmitter_height_m),
        ("height of the known transmitter", None if truth is None else truth.height_m),
    ):
        if height_m is not None and not is_height(height_m):
            raise InputError(f"{observation.id}: its {name} of {height_m:.6g} m cannot be right")


def _with_possible_truth(observation: Observation) -> Observation:
    """Without a known transmitter whose place is none: a distance to it would be no number, or mean nothing."""
    truth = observation.truth
    flaw = None if truth is None else position_flaw(truth.latitude_deg, truth.longitude_deg)
    if flaw is None:
        return observation
    note = f"the known transmitter is not compared with: {flaw}"
    return replace(observation, truth=None, notes=(*observation.notes, note))


def _sound(receptions: Iterable[Reception]) -> list[Receiver]:
    return [reception.receiver for reception in receptions if reception.flaw is None]


def _flaw(reception: Reception) -> str | None:
    """The first thing wrong with a reception by itself."""
    receiver = reception.receiver
    return place_flaw(receiver) or _uncertainty_flaw(reception) or _signal_flaw(reception)


def _uncertainty_flaw(reception: Reception) -> str | None:
    receiver = reception.receiver
    stated = {
        "clock uncertainty": receiver.clock_sigma_s,
        "level uncertainty": receiver.level_sigma_db,
        "power uncertainty": reception.rssi_sigma_db,
        "position uncertainty": receiver.position_sigma_m,
    }
    wrong = [name for name, sigma in stated.items() if sigma is not None and not 0 <= sigma <= _MOST_SIGMA[name]]
    return f"its {wrong[0]} of {stated[wrong[0]]} cannot be right" if wrong else None


def _signal_flaw(reception: Reception) -> str | None:
    if reception.samples is not None and (flaw := _sample_flaw(reception)):
        return flaw
    if reception.samples is None and reception.toa_s is None and reception.rssi_dbm is None:
        return silence_flaw(reception.sensitivity_dbm)
    if reception.toa_s is not None and not math.isfinite(reception.toa_s):
        return "its arrival time is not a number"
    if reception.rssi_dbm is not None and not math.isfinite(reception.rssi_dbm):
        return "its received power is not a number"
    if reception.toa_s is not None and abs(reception.toa_s) > _MOST_TIME_S:
        return f"its arrival time of {reception.toa_s:.6g} s cannot be right{_unit_asked(reception.toa_s)}"
    if reception.rssi_dbm is not None and not _POWER_RANGE_DBM[0] <= reception.rssi_dbm <= _POWER_RANGE_DBM[1]:
        return f"its received power of {reception.rssi_dbm:.6g} dBm cannot be right"
    if reception.samples is None and reception.rssi_dbm is None and reception.receiver.clock_sigma_s is None:
        return "no clock: an arrival time counts only with its clock_sigma_s, and it has no received power"
    return None


def _unit_asked(time_s: float) -> str:
    """The unit by which it would be a time since 1970."""
    unit = next((unit for unit, size in UNITS_S if abs(time_s) * size < _MOST_UNIX_S), None)
    return f": is it in {unit}? Arrival times count in seconds" if unit else ""


def silence_flaw(sensitivity_dbm: float | None) -> str | None:
    """What a receiver that heard nothing lacks to say where the transmitter is not."""
    if sensitivity_dbm is None:
        return "no signal: neither an arrival time nor a power; with sensitivity_dbm its silence would count"
    if not _POWER_RANGE_DBM[0] <= sensitivity_dbm <= _POWER_RANGE_DBM[1]:
        return f"its sensitivity of {sensitivity_dbm:.6g} dBm cannot be right"
    return None


def _sample_flaw(reception: Reception) -> str | None:
    samples, rate_hz = reception.samples, reception.sample_rate_hz
    assert samples is not None
    if not len(samples):
        return NO_SAMPLES
    if rate_hz is None or not _RATE_RANGE_HZ[0] <= rate_hz <= _RATE_RANGE_HZ[1]:
        return f"its sample rate of {rate_hz} cannot be right"
    if not math.isfinite(reception.start_s):
        return "its start time is not a number"
    if abs(reception.start_s) > _MOST_TIME_S:
        return f"its start time of {reception.start_s:.6g} s cannot be right"
    if len(samples) < _MIN_SAMPLES:
        return f"no signal: only {len(samples)} samples"
    peak = largest(samples)
    if not math.isfinite(peak):
        return f"{int(np.sum(~np.isfinite(samples)))} of its {len(samples)} samples are not numbers"
    if peak > _MOST_SAMPLE:
        return "its samples are too large to be right"
    if np.all(samples == samples[0]):
        return "no signal: all samples are the same"
    if _on_a_line(samples):
        return "its samples are real, not IQ: I or Q is empty, or both are the same; record both channels of the receiver's IQ"
    return None


def _on_a_line(samples: NDArray[np.complex64]) -> bool:
    """Whether I and Q are one signal, as of a receiver's audio or a mono sound card: noise leaves no plane of IQ that thin."""
    few = samples[:: max(1, len(samples) // _MOST_LOOKED_AT)].astype(np.complex128)
    few -= np.mean(few)
    # The variances along and across their main axis are half the sum and half the difference of these.
    power, improper = float(np.vdot(few, few).real), abs(complex(np.dot(few, few)))
    return power - improper < _THIN * (power + improper)


def _duplicate(receiver: Receiver, earlier: Sequence[Receiver]) -> str | None:
    for other in earlier:
        if receiver.name.strip() == other.name.strip():  # nobody sees blanks around a name
            return f"a receiver named {other.name} is already there{_moved(receiver, other)}"
        if _at_one_place(receiver, other):
            return f"its position is that of {other.name}"
    return None


def _moved(receiver: Receiver, namesake: Receiver) -> str:
    """What to do where two of one name are one that moved, as in a drive test."""
    if _at_one_place(receiver, namesake):
        return ""
    name = receiver.name
    return f", elsewhere: if it moved, give it a name for each place, as {name}-1 and {name}-2"


def _at_one_place(a: Receiver, b: Receiver) -> bool:
    """Within a metre of each other, also in height: two antennas up one mast are two places."""
    if abs(a.latitude_deg - b.latitude_deg) > _SAME_PLACE_DEG or abs(a.height_m - b.height_m) > _SAME_PLACE_M:
        return False
    return geodesic_distance_m(a.latitude_deg, a.longitude_deg, b.latitude_deg, b.longitude_deg) < _SAME_PLACE_M
