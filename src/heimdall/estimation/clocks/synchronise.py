"""An observation by the clocks that a reference transmitter gives its receivers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.arrays import shifted
from heimdall.errors import InputError
from heimdall.estimation.clocks.clock_path import path_to
from heimdall.estimation.clocks.clock_reference import MOST_OFFSET_S, channel_in, find_clocks
from heimdall.estimation.clocks.clock_report import Clock, Clocks
from heimdall.estimation.clocks.reference_channel import Stream
from heimdall.estimation.clocks.reference_hearing import LEAST_SNR
from heimdall.estimation.clocks.reference_track import signal_to_noise
from heimdall.evidence.iq.resampling import resampled
from heimdall.formats.wording import band_text, frequency_text
from heimdall.observation import Observation, Reception
from heimdall.transmitter import KnownTransmitter

_TRIES = 3
_KNOTS_S = 1e-3
"""Between times at which a clock's law, which bends over seconds, is worked out."""
Values = NDArray[np.float64]
Band = tuple[float, float]
"""Middle and width of a channel, in Hz."""


@dataclass(frozen=True, eq=False)
class Synchronised:
    """The observation as it is to be located, and what was found of the clocks."""

    observation: Observation
    clocks: Clocks

    @property
    def count(self) -> int:
        """Receivers whose time is the reference's."""
        return sum(report.synchronised for report in self.clocks.reports)


def synchronise(
    observation: Observation,
    transmitter: KnownTransmitter,
    most_offset_s: float = MOST_OFFSET_S,
    located: Band | None = None,
) -> Synchronised:
    """Every receiver that hears the reference on one time, its samples as a clock without drift would have taken them.

    `located` is the channel that will be located, where it is not the observation's own.
    What is said of the others, and of a reference that serves nobody, is in the notes; they keep the clocks they had. Raises
    InputError where the reference is not in the recordings.
    """
    return applied(observation, find_clocks(observation, transmitter, most_offset_s), located)


def synchronise_by_any(
    observation: Observation,
    transmitters: Iterable[KnownTransmitter],
    most_offset_s: float = MOST_OFFSET_S,
    located: Band | None = None,
) -> Synchronised:
    """Synchronise by the reference in the recordings, beside the channel, that most receivers hear clearly.

    Raises InputError where none is there.
    """
    candidates = in_band(observation, transmitters, located)
    if not candidates:
        raise InputError(
            f"{observation.id}: no known transmitter is in the recordings beside the channel and near enough: add one with "
            "`heimdall transmitters add`, or record a wider band"
        )
    tried = [synchronise(observation, each, most_offset_s, located) for each in candidates[:1]]
    for each in candidates[1:_TRIES]:
        if tried[-1].clocks.refused is None:
            return tried[-1]
        tried.append(synchronise(observation, each, most_offset_s, located))
    return next((each for each in tried if each.clocks.refused is None), tried[0])


def in_band(
    observation: Observation, transmitters: Iterable[KnownTransmitter], located: Band | None = None
) -> list[KnownTransmitter]:
    """Those that can serve as reference, the best first: heard clearly by most, then the widest.

    Networks of many transmitters on one frequency are left to those who name them.
    """
    ranked: list[tuple[int, float, KnownTransmitter]] = []
    for each in transmitters:
        if not each.one_place or _overlaps(located or _band(observation), each):
            continue
        try:
            channel = channel_in(observation, each)
        except InputError:
            continue
        clear = sum(
            signal_to_noise(Stream(heard.samples, heard.sample_rate_hz, 0.0), channel) >= LEAST_SNR
            for heard in observation.receptions
            if heard.flaw is None and heard.samples is not None and heard.sample_rate_hz is not None
            if path_to(heard.receiver, each).flaw is None
        )
        if clear >= 2:
            ranked.append((clear, channel.width_hz, each))
    return [each for _, _, each in sorted(ranked, key=lambda entry: entry[:2], reverse=True)]


def channelled(observation: Observation, frequency_hz: float | None, bandwidth_hz: float | None) -> Observation:
    """The observation with another channel of what was recorded in its middle: turned there, nothing is cut off."""
    wanted_hz = observation.frequency_hz if frequency_hz is None else frequency_hz
    width_hz = observation.bandwidth_hz if bandwidth_hz is None else bandwidth_hz
    offset_hz = wanted_hz - observation.frequency_hz
    for each in observation.receptions:
        rate_hz = each.sample_rate_hz
        if each.samples is not None and rate_hz and abs(offset_hz) + 0.5 * min(width_hz, rate_hz) > 0.5 * rate_hz:
            band = band_text(observation.frequency_hz - rate_hz / 2, observation.frequency_hz + rate_hz / 2)
            raise InputError(
                f"{each.receiver.name} recorded {band}: a channel of {frequency_text(width_hz)} at "
                f"{frequency_text(wanted_hz)} is not in it"
            )
    receptions = (
        observation.receptions if offset_hz == 0 else tuple(_turned(e, offset_hz) for e in observation.receptions)
    )
    return replace(observation, frequency_hz=wanted_hz, bandwidth_hz=width_hz, receptions=receptions)


def _turned(reception: Reception, offset_hz: float) -> Reception:
    if reception.samples is None or reception.sample_rate_hz is None:
        return reception
    return replace(reception, samples=shifted(reception.samples, offset_hz, reception.sample_rate_hz))


def _band(observation: Observation) -> Band:
    return observation.frequency_hz, observation.bandwidth_hz


def _overlaps(located: Band, transmitter: KnownTransmitter) -> bool:
    """The reference would be what is located."""
    frequency_hz, bandwidth_hz = located
    return abs(transmitter.frequency_hz - frequency_hz) < 0.5 * (transmitter.channel_hz + bandwidth_hz)


def applied(observation: Observation, clocks: Clocks, located: Band | None = None) -> Synchronised:
    """The observation by clocks that were found for it."""
    others = _by_another_time(observation, clocks)
    if others and len(others) >= len({*clocks.found, clocks.hub}):
        clocks = _refused(clocks, f"{_names(observation, others)} have clocks of their own and do not hear it")
        others = []
    receptions = [_on_time(each, index, clocks) for index, each in enumerate(observation.receptions)]
    for index in others:
        receptions[index] = replace(receptions[index], receiver=replace(receptions[index].receiver, clock_sigma_s=None))
    notes = [*observation.notes, *_notes(observation, clocks, located or _band(observation))]
    notes += [
        f"{_names(observation, [index])}: not used for time: it does not hear {clocks.transmitter.name}, so nothing compares its "
        "own clock with the others'"
        for index in others
    ]
    return Synchronised(replace(observation, receptions=tuple(receptions), notes=tuple(notes)), clocks)


def _by_another_time(observation: Observation, clocks: Clocks) -> list[int]:
    """Receivers with clocks of their own, where the reference's time is the hub's alone and they are not on it."""
    if clocks.anchored or clocks.refused is not None:
        return []
    return [
        index
        for index, each in enumerate(observation.receptions)
        if each.receiver.clock_sigma_s is not None and index not in (*clocks.found, clocks.hub) and each.flaw is None
    ]


def _names(observation: Observation, indices: Sequence[int]) -> str:
    return ", ".join(observation.receptions[index].receiver.name for index in indices)


def _refused(clocks: Clocks, why: str) -> Clocks:
    reports = tuple(replace(each, synchronised=False) for each in clocks.reports)
    return replace(clocks, hub=None, found={}, reports=reports, refused=why)


def _notes(observation: Observation, clocks: Clocks, located: Band) -> Sequence[str]:
    name = clocks.transmitter.name
    if clocks.refused is not None:
        return [f"no clock is taken from {name}{clocks.source}: {clocks.refused}"]
    given = [report for report in clocks.reports if report.synchronised]
    worst_s = max(report.clock_sigma_s or clocks.hub_sigma_s for report in given)
    notes = [f"{len(given)} receivers have their clocks from {name}{clocks.source}, good to {worst_s * 1e9:.0f} ns"]
    if _overlaps(located, clocks.transmitter):
        notes.append(
            f"{name} lies in the channel itself: what is located is {name}, by clocks that took its place as known"
        )
    return notes + [
        f"{report.receiver}: no clock from {name}: {report.reason}"
        for index, report in enumerate(clocks.reports)
        if report.clock_sigma_s is None and index != clocks.hub and report.reason and not _flawed(observation, index)
    ]


def _flawed(observation: Observation, index: int) -> bool:
    reception = observation.receptions[index]
    return reception.flaw is not None or reception.samples is None


def _on_time(reception: Reception, index: int, clocks: Clocks) -> Reception:
    if index == clocks.hub and clocks.reports[index].synchronised:
        return replace(reception, receiver=replace(reception.receiver, clock_sigma_s=clocks.hub_sigma_s))
    clock = clocks.found.get(index)
    return reception if clock is None else _by_clock(reception, clock, clocks.hub_start_s)


def _by_clock(reception: Reception, clock: Clock, hub_start_s: float) -> Reception:
    """Taken again at even steps of the hub's time, from the moment of its first sample on, without its carrier offset."""
    samples, rate_hz = reception.samples, reception.sample_rate_hz
    assert samples is not None
    assert rate_hz is not None
    begin_s, end_s = clock.hub_time_s(np.array([0.0, (len(samples) - 1) / rate_hz]))
    count = max(1, math.floor((end_s - begin_s) * rate_hz) + 1)
    elapsed_s = np.arange(count) / rate_hz
    own_s = np.linspace(0.0, len(samples) / rate_hz, max(2, math.ceil(len(samples) / rate_hz / _KNOTS_S)))
    position = np.interp(elapsed_s, clock.hub_time_s(own_s) - begin_s, own_s) * rate_hz
    even = shifted(resampled(samples, position), clock.match.carrier_hz, rate_hz)
    receiver = replace(reception.receiver, clock_sigma_s=clock.sigma_s)
    return replace(reception, receiver=receiver, samples=even, start_s=hub_start_s + float(begin_s))
