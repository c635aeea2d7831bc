"""The width of the channel that a signal fills, for recordings that do not state it.

The signal is what receivers have in common: hum, lines, images and the slope of a noise floor are each receiver's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Reception
from heimdall.validation.possible_places import has_place

_BINS = 512
_SEGMENTS = 8
_FLOOR_PERCENTILE = 25
_MEDIAN_BINS = 5
"""A carrier fills three bins of a Hann window; a median over five does not see it."""
_MIN_PEAK = 2.0
_PASSBAND = 0.8
_EDGE = 0.25
_MOST_SAMPLES = 1 << 20
"""Samples of each recording that are used: enough to see what receivers share."""
_LEAST_BLOCKS = 32
"""Blocks in which two receivers are compared; fewer would find a common signal in noise."""
_DELAYS_A_BLOCK = 8
"""A block is so many times as long as the longest delay between two receivers, which costs little coherence then."""
_CHANCE = 1e-3
_MOST_PAIRS = 12

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Channel:
    """A width in Hz, centred on zero, and a sentence that says where it comes from."""

    bandwidth_hz: float
    note: str


def occupied_channel(receptions: Sequence[Reception], most_hz: float = math.inf) -> Channel:
    """The channel of a session; `most_hz` is what the receivers' filters leave of the recordings.

    `most_hz`, or 0.8 of the lowest rate, where no signal stands out.
    """
    heard = [reception for reception in receptions if _has_spectrum(reception)]
    if not heard:
        return Channel(min(most_hz, 1e4), "no recording shows a channel")
    rate_hz = min(reception.sample_rate_hz or math.inf for reception in heard)
    shared = _shared_ratio(heard)
    found_hz = None if shared is None else _width_hz(shared, rate_hz)
    if found_hz is not None:
        return _channel(min(found_hz, most_hz), "the receivers hear that much in common")
    found_hz = _width_hz(_power_ratio(heard), rate_hz)
    if found_hz is not None:
        why = "their recordings cannot be compared" if shared is None else "they have no signal in common"
        return _channel(min(found_hz, most_hz), f"that much power stands out from the noise ({why})")
    return _channel(min(_PASSBAND * rate_hz, most_hz), "that much was recorded, and no signal stands out")


def _channel(bandwidth_hz: float, why: str) -> Channel:
    note = f"the channel is taken to be {bandwidth_hz:.0f} Hz wide: {why}; --bandwidth overrides it"
    return Channel(float(bandwidth_hz), note)


def _has_spectrum(reception: Reception) -> bool:
    samples, rate_hz = reception.samples, reception.sample_rate_hz
    if reception.flaw is not None or samples is None or rate_hz is None or not 0 < rate_hz < math.inf:
        return False
    return len(samples) >= 64 and bool(np.all(np.isfinite(samples))) and bool(np.any(samples != samples[0]))


def _width_hz(ratio: Values, rate_hz: float) -> float | None:
    """Width up to where the power density over the noise is 6 dB below its own median; None where nothing stands out.

    Further out the slope is the receivers' own filters, whose delays differ. Lowest frequency first.
    """
    bins = len(ratio)
    plateau = scipy.signal.medfilt(ratio, _MEDIAN_BINS)
    top = int(np.argmax(plateau))
    if plateau[top] < _MIN_PEAK:
        return None
    low, high = _run(plateau > math.sqrt(plateau[top]), top)
    typical = float(np.median(plateau[low : high + 1]))
    low, high = _run(plateau > max(_MIN_PEAK, _EDGE * typical), top)
    frequency = (np.arange(bins) - bins // 2) / bins
    reach = max(abs(frequency[low]), abs(frequency[high])) + 0.5 / bins
    return float(min(2 * reach, _PASSBAND) * rate_hz)


def _run(inside: NDArray[np.bool_], start: int) -> tuple[int, int]:
    """First and last index of the unbroken run of True round `start`."""
    outside = np.flatnonzero(~inside)
    before, after = outside[outside < start], outside[outside > start]
    low = int(before[-1]) + 1 if len(before) else 0
    high = int(after[0]) - 1 if len(after) else len(inside) - 1
    return low, high


def _samples(reception: Reception) -> NDArray[np.complex64]:
    assert reception.samples is not None
    return reception.samples


def _power_ratio(receptions: Sequence[Reception]) -> Values:
    """Mean over the receivers of the power density over the noise floor."""
    shortest = min(len(_samples(reception)) for reception in receptions)
    bins = min(_BINS, max(16, shortest // _SEGMENTS))
    densities = []
    for reception in receptions:
        samples = _samples(reception)[:_MOST_SAMPLES]
        _, density = scipy.signal.welch(samples, nperseg=bins, return_onesided=False, detrend=False)
        densities.append(np.fft.fftshift(density))
    return np.asarray(np.mean([density / _floor(density) for density in densities], axis=0))


def _floor(density: Values) -> float:
    """The noise floor, which a quarter of the band is taken to show."""
    return float(np.percentile(density, _FLOOR_PERCENTILE)) or float(np.max(density)) or 1.0


def _shared_ratio(receptions: Sequence[Reception]) -> Values | None:
    """As `_power_ratio`, of that part of a receiver's power that another one explains; None where no two can be compared."""
    timed = [reception for reception in receptions if reception.receiver.clock_sigma_s is not None]
    pairs = list(combinations(range(len(timed)), 2))[:_MOST_PAIRS]
    compared = [(pair, _compare(timed[pair[0]], timed[pair[1]])) for pair in pairs]
    explained: dict[int, Values] = {}
    for pair, both in compared:
        for receiver, ratio in zip(pair, both or (), strict=False):
            explained[receiver] = np.maximum(explained.get(receiver, 0.0), ratio)
    return 1 + np.mean(list(explained.values()), axis=0) if explained else None


def _compare(first: Reception, second: Reception) -> tuple[Values, Values] | None:
    """For each of two receivers the power density over its noise floor that the other explains, lowest frequency first.

    The cross spectrum of blocks is Fourier transformed over the blocks: a difference of the carriers turns all frequencies
    alike, and the one turn that all of the signal has is found by its strength.
    """
    blocks = _blocks(first, second)
    if blocks is None:
        return None
    one_KF, two_KF, group = blocks
    count = len(one_KF)
    turned_DF = np.abs(scipy.fft.fft(one_KF * np.conj(two_KF), n=2 * count, axis=0)) ** 2 / count**2
    power_one, power_two = (np.mean(np.abs(each) ** 2, axis=0) for each in (one_KF, two_KF))
    coherence_DF = turned_DF / np.maximum(power_one * power_two, 1e-30)
    # The least of three that a line, three bins wide, does not reach together: lines must not choose the turn.
    broad_DF = np.minimum(np.minimum(coherence_DF[:, :-4], coherence_DF[:, 2:-2]), coherence_DF[:, 4:])
    turn = int(np.argmax(np.sum(np.maximum(broad_DF - 2 / count, 0), axis=1)))
    coherence = np.minimum(coherence_DF[turn], 1.0)
    coherence = np.where(coherence > -math.log(_CHANCE) / count, coherence, 0.0)
    explained = [_grouped(coherence * power, group) for power in (power_one, power_two)]
    floors = [_floor(_grouped(power, group)) for power in (power_one, power_two)]
    return explained[0] / floors[0], explained[1] / floors[1]


def _blocks(first: Reception, second: Reception) -> tuple[NDArray[np.complex64], NDArray[np.complex64], int] | None:
    """Spectra (blocks, frequencies) of the time that two recordings share, and how many frequencies make a bin."""
    rate_hz, other_hz = first.sample_rate_hz or math.inf, second.sample_rate_hz or math.inf
    begin_s = max(first.start_s, second.start_s)
    size = _block_size(first, second, rate_hz)
    one, two = (
        _samples(each)[round((begin_s - each.start_s) * hz) :] for each, hz in ((first, rate_hz), (second, other_hz))
    )
    if abs(rate_hz / other_hz - 1) > 1e-3 or min(len(one), len(two)) < _LEAST_BLOCKS * size:
        return None
    count = min(len(one), len(two), max(_MOST_SAMPLES, _LEAST_BLOCKS * size)) // size
    start = np.arange(count) * size
    window = scipy.signal.windows.hann(size, sym=False).astype(np.float32)
    spectra = []
    for samples, hz in ((one, rate_hz), (two, other_hz)):
        at = np.minimum(np.round(start * (hz / rate_hz)).astype(int), len(samples) - size)
        pieces = samples[at[:, None] + np.arange(size)] * window
        spectra.append(np.fft.fftshift(scipy.fft.fft(pieces), axes=1).astype(np.complex64))
    return spectra[0], spectra[1], max(1, size // _BINS)


def _block_size(first: Reception, second: Reception, rate_hz: float) -> int:
    """Samples of a block: as many as bins, or more where the delay between the two asks for it."""
    delay_s = 0.0
    if has_place(first.receiver) and has_place(second.receiver):
        places = (first.receiver.latitude_deg, first.receiver.longitude_deg)
        others = (second.receiver.latitude_deg, second.receiver.longitude_deg)
        delay_s = geodesic_distance_m(*places, *others) / SPEED_OF_LIGHT_M_S
    wanted = _DELAYS_A_BLOCK * delay_s * rate_hz
    return int(max(_BINS, 2 ** math.ceil(math.log2(wanted)) if wanted > 1 else 0))


def _grouped(values: Values, group: int) -> Values:
    return np.asarray(values.reshape(-1, group).mean(axis=1))
