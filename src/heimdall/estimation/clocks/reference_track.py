"""How the clocks of several recordings run against one of them, from a channel that all of them heard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.clocks.reference_channel import Channel, Match, Samples, Stream, cut
from heimdall.evidence.iq.arrival import reconcile
from heimdall.evidence.iq.channel_spectrum import channel_spectrum
from heimdall.evidence.iq.correlation import pair_peaks

if TYPE_CHECKING:
    from jaxtyping import Float

Values = NDArray[np.float64]

_SEGMENTS = 32
_FEWEST_SEGMENTS = 16
"""Where the channel is wide enough for so many."""
_SEGMENT_S = 1.0
_LEAST_SEGMENTS = 4
"""Fewer do not tell a drift from chance."""
_LEAST_CELLS = 256.0
"""Independent samples of a segment: fewer correlate by chance."""
_SMEAR_CYCLES = 0.05
"""How far a segment's ends may drift from its middle, in inverse bandwidths."""
_RATE_IN_WIDTHS = 1.6
"""Rate that segments are kept at, so that noise can be told beside the channel."""
_SLACK_S_PER_S = 1e-6
"""How far the drift may be from what the carrier tells, where tuner and sampling have oscillators of their own."""
_BANDS = 12


@dataclass(frozen=True, eq=False)
class Matched:
    """Recordings of one channel, and how those that were matched to one of them, the hub, run against it."""

    streams: Sequence[Stream]
    matches: Mapping[int, Match]
    """By the index of the stream; the hub has none."""
    hub: int
    channel: Channel

    @property
    def members(self) -> list[int]:
        return sorted({*self.matches, self.hub})

    @property
    def shared_s(self) -> tuple[float, float]:
        """Begin and end, by the hub's time, of what all members recorded; the end comes first where there is nothing."""
        ends = [
            (each.offset_s, each.offset_s + each.rate * self.streams[index].duration_s)
            for index, each in self.matches.items()
        ]
        ends.append((0.0, self.streams[self.hub].duration_s))
        return max(begin for begin, _ in ends), min(end for _, end in ends)

    @property
    def shared_length_s(self) -> float:
        begin_s, end_s = self.shared_s
        return end_s - begin_s

    def without(self, index: int) -> Matched:
        return replace(self, matches={other: each for other, each in self.matches.items() if other != index})


@dataclass(frozen=True, eq=False)
class Track:
    """N streams against the hub, which is one of them, at K moments.

    `late_s_KN` is how much later than its `Match` predicts a stream shows what the hub hears; a value counts where `valid_KN`.
    """

    time_s_K: Values
    """Since the hub's first sample, by the hub's clock."""
    late_s_KN: Values
    sigma_s_KN: Values
    """From noise."""
    valid_KN: NDArray[np.bool_]
    tilt_s_N: Values
    """Half the slope of the logarithm of the power, over the angular frequency, against the mean of all streams: see `tilts`."""
    snr_N: Values


def track(matched: Matched) -> Track:
    """Arrival times of the channel at the hub and the streams that have a match, segment by segment."""
    streams, members, channel = matched.streams, matched.members, matched.channel
    time_s, length_s = _segments(matched)
    segments_KNM, rate_hz = _cut_all(matched, time_s, length_s)
    present = np.ones(segments_KNM.shape[:2], dtype=bool)
    spectrum = channel_spectrum(segments_KNM, present, rate_hz, channel.width_hz)
    span_s = float(time_s[-1] - time_s[0])
    peaks = pair_peaks(
        spectrum,
        present,
        rate_hz,
        channel.width_hz,
        6 / channel.width_hz + _SLACK_S_PER_S * span_s,
        _carrier_slack_hz(matched, length_s),
    )
    arrivals = reconcile(peaks, spectrum, present, rate_hz, channel.width_hz)
    late = np.zeros((len(time_s), len(streams)))
    sigma, valid = np.full_like(late, np.inf), np.zeros(late.shape, dtype=bool)
    tilt, snr = np.zeros(len(streams)), np.zeros(len(streams))
    at = members.index(matched.hub)
    late[:, members] = arrivals.arrival_s_BN - arrivals.arrival_s_BN[:, [at]]
    sigma[:, members] = arrivals.sigma_s_BN
    valid[:, members] = arrivals.valid_BN & arrivals.valid_BN[:, [at]]
    tilt[members] = tilts(segments_KNM, rate_hz, channel.width_hz)
    snr[members] = np.median(spectrum.snr_BN, axis=0)
    return Track(time_s, late, sigma, valid, tilt, snr)


def together(matched: Matched) -> Matched:
    """Those that share enough time with the hub and each other to be tracked; who has least of it goes first."""
    least_s = _LEAST_SEGMENTS * _LEAST_CELLS / matched.channel.width_hz
    while matched.matches and matched.shared_length_s < least_s:
        matched = max(map(matched.without, matched.matches), key=lambda rest: rest.shared_length_s)
    return matched


def signal_to_noise(stream: Stream, channel: Channel) -> float:
    """Of whatever is in the channel, linear, over a piece from the middle of the recording."""
    length_s = min(_SEGMENT_S, stream.duration_s, 64 * _LEAST_CELLS / channel.width_hz)
    count = int(length_s * stream.rate_hz)
    begin = (len(stream.samples) - count) // 2
    size = _size(count, stream.rate_hz, channel)
    piece = cut(stream.samples[begin : begin + count], stream.rate_hz, channel.offset_hz, size)[None, None]
    rate_hz = size / (count / stream.rate_hz)
    return float(channel_spectrum(piece, np.ones((1, 1), dtype=bool), rate_hz, channel.width_hz).snr_BN[0, 0])


def tilts(segments_KNM: Samples, rate_hz: float, width_hz: float) -> Float[Values, " N"]:
    """Slope of half the logarithm of the power over the angular frequency, in s, against the mean of all.

    An echo multiplies the spectrum by 1 + z, z of random phase: to first order its real part tilts the spectrum and its
    imaginary part delays it, and both have one law. So the tilts tell how much echoes move the delays, which nothing else does.
    """
    count = segments_KNM.shape[-1]
    power_NM = np.mean(np.abs(np.fft.fftshift(np.fft.fft(segments_KNM), axes=-1)) ** 2, axis=0)
    frequency = np.fft.fftshift(np.fft.fftfreq(count, 1 / rate_hz))
    inside = np.abs(frequency) < 0.45 * width_hz
    bands = np.array_split(np.flatnonzero(inside), _BANDS)
    level_NB = np.stack([power_NM[:, band].mean(axis=1) for band in bands], axis=1)
    middle_B = 2 * math.pi * np.array([frequency[band].mean() for band in bands])
    log_NB = 0.5 * np.log(np.maximum(level_NB, 1e-30))
    log_NB -= log_NB.mean(axis=0)
    # The power weighs as it does where the delay is measured: what is empty there says nothing of it.
    weight_B = level_NB.mean(axis=0)
    weight_B = np.clip(weight_B / weight_B.max() - 0.01, 0, None)
    middle_B = middle_B - np.average(middle_B, weights=weight_B)
    return np.asarray((log_NB * weight_B) @ middle_B / np.sum(weight_B * middle_B**2))


def _segments(matched: Matched) -> tuple[Values, float]:
    """Middles of the segments by the hub's time, and their length: as long as the drift allows, spread over what all share."""
    begin_s, span_s, width_hz = matched.shared_s[0], matched.shared_length_s, matched.channel.width_hz
    drift = max((abs(found.rate - 1) for found in matched.matches.values()), default=0.0)
    length_s = min(_SEGMENT_S, span_s / _FEWEST_SEGMENTS, 2 * _SMEAR_CYCLES / (max(drift, 1e-9) * width_hz))
    length_s = min(max(length_s, _LEAST_CELLS / width_hz), span_s)
    count = max(1, min(_SEGMENTS, int(span_s / length_s)))
    return begin_s + (np.arange(count) + 0.5) * span_s / count, length_s


def _cut_all(matched: Matched, time_s_K: Values, length_s: float) -> tuple[Samples, float]:
    """(K, N, M) each member's channel around the moments that its match names, its carrier offset taken off; and their rate."""
    channel, hub = matched.channel, matched.streams[matched.hub]
    hub_count = int(length_s * hub.rate_hz)
    size = _size(hub_count, hub.rate_hz, channel)
    out = np.empty((len(time_s_K), len(matched.members), size), dtype=np.complex64)
    for column, index in enumerate(matched.members):
        stream, found = matched.streams[index], matched.matches.get(index, Match(0.0, 1.0, 0.0, ""))
        count = round(hub_count * stream.rate_hz / hub.rate_hz)
        shift_hz = channel.offset_hz + found.carrier_hz
        for moment, time_s in enumerate(time_s_K):
            wanted = (time_s - found.offset_s) / found.rate * stream.rate_hz - (count - 1) / 2
            first = min(max(math.floor(wanted), 0), len(stream.samples) - count)
            piece = stream.samples[first : first + count]
            out[moment, column] = cut(piece, stream.rate_hz, shift_hz, size, wanted - first)
    return out, size / (hub_count / hub.rate_hz)


def _size(count: int, rate_hz: float, channel: Channel) -> int:
    """Samples of a segment once it is cut: wider than the channel where the recording is."""
    room_hz = max(2 * (0.5 * rate_hz - abs(channel.offset_hz)), channel.width_hz)
    wanted_hz = min(_RATE_IN_WIDTHS * channel.width_hz, room_hz, rate_hz)
    return max(8, min(count, 2 * round(count * wanted_hz / rate_hz / 2)))


def _carrier_slack_hz(matched: Matched, length_s: float) -> float:
    """What a match leaves of a carrier offset, which it knows in steps, and what oscillators wander."""
    return max(1.0, 0.1e-6 * matched.channel.frequency_hz, 0.5 / length_s) if matched.matches else 0.0
