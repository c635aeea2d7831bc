"""Recordings brought to one rate and to spans of time in common, whatever each receiver's own were."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.observation import Reception

_EQUAL_RATES = 1e-9
_ROUNDING = 1e-6
"""Of a sample: a whole number of them may come out of times a hair short."""
_OVERSAMPLING = 8
"""Linear interpolation between samples at this many times the rate leaves an error below -45 dB at half the rate."""
_MIN_SAMPLES = 64
_LEAST_SHARE = 0.999
"""Of the samples that are kept for a length that Fourier transforms are quick for: 3 % of what noise moves a time by."""
_WORTH = 0.25
"""A span shorter than this part of the longest is not worth a look of its own, unless somebody was heard in no longer one."""

Values = NDArray[np.float64]
_LEAST_OF_CHANNEL = 0.5
"""A recording that holds less of the channel costs the others more than it tells."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """Samples of N receivers over one span; a receiver that did not record throughout it is silent, and not present.

    `begin_s` is the span's begin and `first_s_N` each receiver's first sample, both on the axis of the recordings' stamps;
    `start_s_N` is what a shift by whole samples could not take away.
    """

    samples_NT: NDArray[np.complex64]
    present_N: NDArray[np.bool_]
    sample_rate_hz: float
    begin_s: float
    first_s_N: Values
    start_s_N: Values

    @property
    def duration_s(self) -> float:
        return self.samples_NT.shape[1] / self.sample_rate_hz


@dataclass(frozen=True, eq=False)
class _Timeline:
    """When each recording begins and ends on a common axis, and the rate to which all are brought: the lowest."""

    start_s_N: Values
    end_s_N: Values
    rate_hz_N: Values

    @property
    def rate_hz(self) -> float:
        return float(np.min(self.rate_hz_N))

    def count(self, begin_s: float, end_s: float) -> int:
        """Samples in that span, less one for those that do not begin on the common grid."""
        return math.floor((end_s - begin_s) * self.rate_hz + _ROUNDING) - 1


def recorded_apart(receptions: Sequence[Reception]) -> dict[int, str]:
    """The recordings, by their index, that share no useful span with the others, each with its reason.

    The others are the largest set whose members all share a span with one of them. Empty where nobody shares any.
    """
    if len(receptions) < 2:
        return {}
    timeline = _timeline(receptions)
    together = _together(timeline)
    if together is None:
        return {}
    start_s, end_s = np.min(timeline.start_s_N[together]), np.max(timeline.end_s_N[together])
    return {
        int(index): _apart(timeline.start_s_N[index] - end_s, start_s - timeline.end_s_N[index])
        for index in np.flatnonzero(~together)
    }


def too_narrow(receptions: Sequence[Reception], bandwidth_hz: float) -> dict[int, str]:
    """The recordings, by their index, that hold less than half of a channel that two others hold, each with its reason.

    All are brought to the lowest rate: one whose rate is stated in another unit would take the signal of all others away.
    """
    rates_hz = [rate_of(reception) for reception in receptions]
    if sum(rate_hz >= bandwidth_hz for rate_hz in rates_hz) < 2:
        return {}
    asked = f"Hz of a channel of {bandwidth_hz:.6g} Hz: is its sample rate in Hz?"
    return {
        index: f"it recorded {rate_hz:.6g} {asked}"
        for index, rate_hz in enumerate(rates_hz)
        if rate_hz < _LEAST_OF_CHANNEL * bandwidth_hz
    }


def _apart(after_s: float, before_s: float) -> str:
    if after_s >= 0 or before_s >= 0:
        when = f"{after_s:.3g} s after the others end" if after_s >= 0 else f"{before_s:.3g} s before the others start"
        return f"recorded at another time, {when}: check its start time"
    return "recorded at another time: it shares no useful span with the others; check its start time"


def align(receptions: Sequence[Reception]) -> list[Aligned]:
    """Cut the recordings into the spans that two or more of them share by their own stamps, resampled where rates differ.

    Mostly that is one span, which all share; a recording that is much shorter than the others does not cut them. A receiver
    without a clock is taken to start with the others: its stamps mean nothing, and it serves for power only.
    Raises InputError where no two recordings overlap.
    """
    timeline = _timeline(receptions)
    aligned = [_cut(receptions, timeline, *span) for span in _spans(timeline)]
    if not aligned:
        shared_s = float(np.min(timeline.end_s_N) - np.max(timeline.start_s_N))
        raise InputError(
            f"the recordings share no span of time ({shared_s:.3g} s): check their start times, or locate them apart"
        )
    return aligned


def quick_length(count: int) -> int:
    """The longest of the lengths just below `count` of which dividing by the least primes leaves the least.

    A transform of a prime length takes several times as long as one of a power of two.
    """
    return min(range(count, math.ceil(_LEAST_SHARE * count) - 1, -1), key=_rest)


def _rest(length: int) -> int:
    for prime in (2, 3, 5, 7, 11, 13):
        while length % prime == 0:
            length //= prime
    return length


def _timeline(receptions: Sequence[Reception]) -> _Timeline:
    rates = np.array([rate_of(reception) for reception in receptions])
    lengths = np.array([len(samples_of(reception)) for reception in receptions]) / rates
    starts = np.array([_stamp(reception) for reception in receptions])
    clocked = np.isfinite(starts)
    begin_s = 0.0
    if clocked.any():
        known = _Timeline(starts[clocked], starts[clocked] + lengths[clocked], rates[clocked])
        together = _together(known)
        begin_s = float(np.max(known.start_s_N if together is None else known.start_s_N[together]))
    starts = np.where(clocked, starts, begin_s)
    return _Timeline(starts, starts + lengths, rates)


def samples_of(reception: Reception) -> NDArray[np.complex64]:
    assert reception.samples is not None
    return reception.samples


def rate_of(reception: Reception) -> float:
    assert reception.sample_rate_hz is not None
    return reception.sample_rate_hz


def _stamp(reception: Reception) -> float:
    return math.nan if reception.receiver.clock_sigma_s is None else reception.start_s


def _together(timeline: _Timeline) -> NDArray[np.bool_] | None:
    """Who shares a useful span with the receiver with which most do; of equals, with which they share the longest."""
    start_s, end_s = timeline.start_s_N, timeline.end_s_N
    shared_s = np.minimum(end_s[:, None], end_s) - np.maximum(start_s[:, None], start_s)
    useful = np.floor(shared_s * timeline.rate_hz) - 1 >= _MIN_SAMPLES
    np.fill_diagonal(useful, True)
    companions = useful.sum(axis=1)
    if np.max(companions) < 2:
        return None
    length_s = np.sum(shared_s, axis=1, where=useful)
    hub = int(np.argmax(np.where(companions == np.max(companions), length_s, -np.inf)))
    return np.asarray(useful[hub])


def _spans(timeline: _Timeline) -> Iterator[tuple[float, float, NDArray[np.bool_]]]:
    """Begin, end and who recorded throughout, of every span that is worth a look, in their order."""
    edges = np.unique(np.concatenate([timeline.start_s_N, timeline.end_s_N]))
    found = []
    for begin_s, end_s in pairwise(edges.tolist()):
        present = (timeline.start_s_N <= begin_s) & (timeline.end_s_N >= end_s)
        if np.sum(present) >= 2 and timeline.count(begin_s, end_s) >= _MIN_SAMPLES:
            found.append((begin_s, end_s, present))
    longest_s = max((end_s - begin_s for begin_s, end_s, _ in found), default=0.0)
    own_longest_s = [
        max((end_s - begin_s for begin_s, end_s, present in found if present[index]), default=math.inf)
        for index in range(len(timeline.start_s_N))
    ]
    for begin_s, end_s, present in found:
        needed_s = min(min(own_longest_s[index] for index in np.flatnonzero(present)), _WORTH * longest_s)
        if end_s - begin_s >= needed_s:
            yield begin_s, end_s, present


def _cut(
    receptions: Sequence[Reception], timeline: _Timeline, begin_s: float, end_s: float, present: NDArray[np.bool_]
) -> Aligned:
    rate, count = timeline.rate_hz, timeline.count(begin_s, end_s)
    recorded = {index: samples_of(receptions[index]) for index in np.flatnonzero(present).tolist()}
    if np.ptp(timeline.rate_hz_N) > _EQUAL_RATES * rate:
        samples = np.zeros((len(receptions), quick_length(count)), dtype=np.complex64)
        for index, each in recorded.items():
            own_begin_s = begin_s - timeline.start_s_N[index]
            samples[index] = _resample(each, timeline.rate_hz_N[index], own_begin_s, rate, samples.shape[1])
        return Aligned(samples, present, rate, begin_s, timeline.start_s_N, np.zeros(len(receptions)))
    skip_N = np.rint((begin_s - timeline.start_s_N) * rate).astype(np.int64)
    # Up to the last sample that all have.
    count = min(count + 1, *(len(each) - int(skip_N[index]) for index, each in recorded.items()))
    samples = np.zeros((len(receptions), quick_length(count)), dtype=np.complex64)
    for index, each in recorded.items():
        samples[index] = each[skip_N[index] : skip_N[index] + samples.shape[1]]
    start_s = np.where(present, timeline.start_s_N + skip_N / rate - begin_s, 0.0)
    return Aligned(samples, present, rate, begin_s, timeline.start_s_N, start_s)


def _resample(
    samples: NDArray[np.complex64], own_rate: float, begin_s: float, rate: float, count: int
) -> NDArray[np.complex64]:
    """Band-limited oversampling by zeros in the spectrum, then linear interpolation at the wanted times.

    In single precision, as the samples are, and at a length that the Fourier transform is quick for: zeros after the end.
    """
    size = scipy.fft.next_fast_len(len(samples))
    spectrum = scipy.fft.fft(samples, n=size)
    frequency = np.fft.fftfreq(size, 1 / own_rate)
    spectrum[np.abs(frequency) > 0.5 * rate] = 0
    half = (size + 1) // 2
    padded = np.zeros(size * _OVERSAMPLING, dtype=np.complex64)
    padded[:half], padded[-(size - half) :] = spectrum[:half], spectrum[half:]
    fine = scipy.fft.ifft(padded, overwrite_x=True)
    position = (begin_s + np.arange(count) / rate) * own_rate * _OVERSAMPLING
    low = np.clip(position.astype(np.int64), 0, len(fine) - 2)
    share = (position - low).astype(np.float32)
    between = fine[low]
    between += (fine[low + 1] - between) * share
    between *= np.float32(_OVERSAMPLING)
    return between
