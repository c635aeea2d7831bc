"""One channel cut out of recordings, and where in one recording a piece of another is found again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from heimdall.evidence.iq.carrier import OSCILLATORS, whitened

Samples = NDArray[np.complex64]

_OFFSETS = 48
"""Carrier offsets searched in one look, each a transform: enough for TCXOs at 100 MHz in a look of 30 ms."""
_OFFSETS_A_CYCLE = 2.0
_MOST_LOOK_S = 4.0
_LEAST_CELLS = 48.0
"""Independent samples, the time-bandwidth product, without which a look says nothing."""
_SMEAR_CYCLES = 0.3
"""How far a look's end may drift from its begin, in inverse bandwidths."""
_MARGIN = 8.0
"""By how much, in the logarithm, a match must exceed what the best of all cells reaches by chance."""
_PLACES = (0.5, 0.25, 0.75)
"""Where in a recording a piece is taken to look for; a pause in one of them is no harm."""


@dataclass(frozen=True)
class Channel:
    """Where a reference's signal lies in recordings that share a centre frequency."""

    frequency_hz: float
    offset_hz: float
    """From the recordings' centre."""
    width_hz: float


@dataclass(frozen=True, eq=False)
class Stream:
    """A recording whose first sample lies at `start_s` by a clock that may be off."""

    samples: Samples
    rate_hz: float
    start_s: float

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True)
class Match:
    """The stream's time u since its first sample is the hub's time v = offset_s + rate u since its own first sample."""

    offset_s: float
    rate: float
    carrier_hz: float
    """How far above the hub's the stream shows the reference."""
    oscillator: str


def cut(samples: Samples, rate_hz: float, shift_hz: float, size: int, delay: float = 0.0) -> Samples:
    """The band around `shift_hz` in `size` samples of equal span, `delay` samples later; cyclic at the ends.

    The band is as wide as the new rate, `size / len(samples)` of the old one.
    """
    count = len(samples)
    bins = round(shift_hz * count / rate_hz)
    order = np.arange(size) - size // 2
    spectrum = fft.fft(samples)[(order + bins) % count]
    if delay:
        spectrum = spectrum * np.exp(2j * np.pi * (order + bins) * (delay / count))
    narrow = fft.ifft(fft.ifftshift(spectrum)) * (size / count)
    rest = (shift_hz * count / rate_hz - bins) / size
    turns = rest * (np.arange(size) - (size - 1) / 2)
    return np.asarray(narrow * np.exp(-2j * np.pi * turns), dtype=np.complex64)


def match(stream: Stream, hub: Stream, channel: Channel, most_offset_s: float) -> Match | None:
    """Where the hub's signal is found in the stream, class by class of oscillators; None where it is not.

    Start times are trusted to `most_offset_s`.
    """
    for oscillator, tolerance in OSCILLATORS.items():
        for place in _PLACES:
            found = _look(stream, hub, channel, 2 * tolerance, place, most_offset_s)
            if found is not None:
                return Match(*found, oscillator)
    return None


def _look(
    stream: Stream, hub: Stream, channel: Channel, tolerance: float, place: float, most_offset_s: float
) -> tuple[float, float, float] | None:
    """A piece of the hub's channel correlated with all of the stream where it may be, at each carrier offset."""
    reach_hz = tolerance * channel.frequency_hz
    look_s = _look_s(stream, hub, channel, tolerance, reach_hz)
    width_hz = channel.width_hz + 2 * min(reach_hz, channel.width_hz)
    piece, window, begin, first = _pieces(stream, hub, channel, look_s, width_hz, place, most_offset_s)
    if len(window) < len(piece) or len(piece) < 8:
        return None
    rate_hz = len(piece) / look_s
    piece, window = (whitened(each, rate_hz, width_hz) for each in (piece, window))
    size = fft.next_fast_len(len(window) + len(piece))
    known, sought = fft.fft(piece, n=size), fft.fft(window, n=size)
    step = max(1, int(rate_hz > 0 and size / (_OFFSETS_A_CYCLE * len(piece))))
    most = math.ceil(reach_hz * size / rate_hz / step)
    best = (0.0, 0, 0)
    for turn in range(-most, most + 1):
        power = np.abs(fft.ifft(sought * np.conj(np.roll(known, turn * step)))) ** 2
        lag = int(np.argmax(power[: len(window)]))
        best = max(best, (float(power[lag]), turn * step, lag))
    coherence = min(best[0] * len(window) / len(piece), 0.9999)
    cells = look_s * channel.width_hz
    if -cells * math.log1p(-coherence) < math.log((2 * most + 1) * len(window)) + _MARGIN:
        return None
    carrier_hz = best[1] * rate_hz / size
    rate = 1 + carrier_hz / channel.frequency_hz
    return begin - rate * (first + best[2] / rate_hz), rate, carrier_hz


def _look_s(stream: Stream, hub: Stream, channel: Channel, tolerance: float, reach_hz: float) -> float:
    """Length of the window that is matched: as long as the offsets searched, the drift and the recordings allow.

    In whole samples of the hub: a rate that is off by a fraction of one of them moves the match by that part of the window.
    """
    longest_s = min(_MOST_LOOK_S, 0.5 * hub.duration_s, 0.5 * stream.duration_s)
    by_offsets_s = _OFFSETS / (2 * _OFFSETS_A_CYCLE * max(reach_hz, 1e-9))
    by_drift_s = _SMEAR_CYCLES / (tolerance * channel.width_hz)
    wanted_s = min(by_offsets_s, by_drift_s)
    allowed_s = min(longest_s, max(wanted_s, _LEAST_CELLS / channel.width_hz))
    return int(allowed_s * hub.rate_hz) / hub.rate_hz


def _pieces(
    stream: Stream,
    hub: Stream,
    channel: Channel,
    look_s: float,
    width_hz: float,
    place: float,
    most_offset_s: float,
) -> tuple[Samples, Samples, float, float]:
    """The hub's piece, the stream's window at the same rate, and the times of both since the recordings' first samples."""
    count = round(look_s * hub.rate_hz)
    begin = int(place * (len(hub.samples) - count))
    size = max(8, min(round(count * width_hz / hub.rate_hz), count))
    piece = cut(hub.samples[begin : begin + count], hub.rate_hz, channel.offset_hz, size)
    rate_hz = size / (count / hub.rate_hz)
    about_s = hub.start_s + begin / hub.rate_hz - stream.start_s
    first = max(0, int((about_s - most_offset_s) * stream.rate_hz))
    last = min(len(stream.samples), int((about_s + look_s + most_offset_s) * stream.rate_hz))
    span = stream.samples[first:last]
    if len(span) < count * stream.rate_hz / hub.rate_hz:
        return piece, span[:0], 0.0, 0.0
    window = cut(span, stream.rate_hz, channel.offset_hz, round(len(span) / stream.rate_hz * rate_hz))
    return piece, window, begin / hub.rate_hz, first / stream.rate_hz
