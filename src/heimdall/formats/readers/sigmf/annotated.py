"""The channel that the annotations of a session state: one signal's band, whatever each receiver was tuned to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import sigmf

from heimdall.formats.quantities import UNITS_HZ
from heimdall.formats.readers.recordings.tuning import WITHIN, Tuning
from heimdall.formats.readers.sigmf.values import number

_ALIKE = 1.5
"""Bands that differ by no more than this are one, drawn by different hands."""
_WORTH_A_FRAME = 0.1
"""A frame is drawn round what is marked for such a part of its time at least: a spur of a moment has none."""
_AS_LONG = 0.5
"""What is marked for less of the longest signal's time is another, or a part of one."""
_CENTRED = 0.05
"""A band whose centre is off by no more than this part of its width is one about the centre, drawn by hand."""


@dataclass(frozen=True)
class Band:
    """A band in Hz, on the axis of the radio frequency."""

    centre_hz: float
    width_hz: float

    @property
    def edges_hz(self) -> tuple[float, float]:
        return self.centre_hz - 0.5 * self.width_hz, self.centre_hz + 0.5 * self.width_hz

    def is_like(self, other: Band) -> bool:
        return self.joined(other).width_hz <= _ALIKE * min(self.width_hz, other.width_hz)

    def frames(self, other: Band) -> bool:
        """Whether it is drawn round another."""
        return not self.is_like(other) and self.joined(other).width_hz <= WITHIN * self.width_hz

    def joined(self, other: Band) -> Band:
        edges_hz = [*self.edges_hz, *other.edges_hz]
        return between(min(edges_hz), max(edges_hz)) if self != other else self

    def about(self, centre_hz: float) -> Band:
        """The same band; but for the hand that drew it, one about that centre has it in its middle."""
        offset_hz = abs(self.centre_hz - centre_hz)
        near = offset_hz <= _CENTRED * self.width_hz
        return Band(centre_hz, self.width_hz + 2 * offset_hz) if near else self


def between(low_hz: float, high_hz: float) -> Band:
    return Band(0.5 * (low_hz + high_hz), high_hz - low_hz)


def annotated_bands(
    name: str, annotations: Iterable[Mapping[str, Any]], tuning: Tuning, samples: range
) -> tuple[dict[Band, float], list[str]]:
    """The bands of one recording's annotations, each with the share of those samples that it marks, and notes on how they were
    read.
    """
    centre_hz, rate_hz = tuning.frequency_hz, tuning.sample_rate_hz
    most_hz = 0.5 * WITHIN * rate_hz if rate_hz is not None and rate_hz > 0 else math.inf
    bands, notes = dict[Band, float](), dict[str, None]()
    for annotation in annotations:
        stated = (number(annotation.get(key)) for key in (sigmf.FREQ_LOWER_EDGE_KEY, sigmf.FREQ_UPPER_EDGE_KEY))
        edges_hz = [edge for edge in stated if edge is not None and math.isfinite(edge)]
        offsets_hz, how = _offsets(edges_hz, centre_hz, most_hz)
        if how:
            notes[f"{name}: the edges of its annotations {how}"] = None
        # A single edge stands for both.
        low_hz, high_hz = min(offsets_hz, default=0.0), max(offsets_hz, default=0.0)
        band = between(low_hz, high_hz) if len(offsets_hz) == 2 else Band(0.0, 2 * abs(high_hz))
        if band.width_hz > 0:
            placed = Band(centre_hz + band.centre_hz, band.width_hz)
            bands[placed] = bands.get(placed, 0.0) + _share(annotation, samples)
    return bands, list(notes)


def _share(annotation: Mapping[str, Any], samples: range) -> float:
    """Of so many samples; one without a count goes on to their end."""
    first = number(annotation.get(sigmf.SAMPLE_START_KEY)) or 0.0
    count = number(annotation.get(sigmf.SAMPLE_COUNT_KEY))
    last = samples.stop if count is None else first + count
    return max(0.0, min(last, samples.stop) - max(first, samples.start)) / max(len(samples), 1)


def _offsets(edges_hz: Sequence[float], centre_hz: float, most_hz: float) -> tuple[list[float], str | None]:
    """Edges as offsets from the centre, at most so far from it, and what is to be said of them.

    Edges far from the centre and near zero are offsets already, as many write them; no frequency is negative.
    """
    offsets_hz = [edge - centre_hz for edge in edges_hz]
    are_frequencies = centre_hz == 0 or min(edges_hz, default=0.0) >= 0
    if are_frequencies and all(abs(offset) <= most_hz for offset in offsets_hz):
        return offsets_hz, None
    if are_frequencies and (unit := _unit(edges_hz, centre_hz, most_hz)):
        return [edge * UNITS_HZ[unit] - centre_hz for edge in edges_hz], f"are read as {unit}"
    if all(abs(edge) <= most_hz for edge in edges_hz):
        return list(edges_hz), "are read as offsets from the centre"
    return [], "lie outside what it recorded, and are not used"


def _unit(edges_hz: Sequence[float], centre_hz: float, most_hz: float) -> str | None:
    """The unit in which edges that are no hertz lie about the centre: as offsets they would make a channel of next to nothing."""
    return next(
        (
            unit
            for unit, size_hz in UNITS_HZ.items()
            if all(abs(edge * size_hz - centre_hz) <= min(most_hz, 0.5 * centre_hz) for edge in edges_hz)
        ),
        None,
    )


@dataclass
class _Signal:
    """A band, and the share of each recording that it marks, by the recording's place."""

    band: Band
    shares: dict[int, float]

    @property
    def share(self) -> float:
        return sum(min(share, 1.0) for share in self.shares.values()) / len(self.shares)


def stated_channel(bands_of: Sequence[Mapping[Band, float]]) -> tuple[Band | None, tuple[str, ...]]:
    """The band that most recordings annotate, each with any number of bands and the share of it that each marks, and a note where
    others are left out.

    Of bands that as many annotate the one that lasts counts, and not a spur of a moment; of several that do, the lower median by
    width. A frame round all that was recorded is none.
    """
    signals: list[_Signal] = []
    for recording, bands in enumerate(bands_of):
        for band, share in bands.items():
            _count(signals, band, recording, share)
    if not signals:
        return None, ()
    most = max(len(each.shares) for each in signals)
    leading = [each.band for each in _lasting([each for each in signals if len(each.shares) == most])]
    width_hz = median_low([band.width_hz for band in leading])
    chosen = next(band for band in leading if band.width_hz == width_hz)
    if len(signals) == 1:
        return chosen, ()
    widths = [each.band.width_hz for each in signals]
    return chosen, (
        f"annotations state {len(signals)} channels, {min(widths):.6g} to {max(widths):.6g} Hz wide: {chosen.width_hz:.6g} Hz is "
        f"taken, about {chosen.centre_hz:.12g} Hz; leave one annotation to locate another",
    )


def _lasting(signals: Sequence[_Signal]) -> list[_Signal]:
    """Those that last about as long as the longest that is no frame round another; bursts add up."""
    longest = max(each.share for each in signals)
    worth = [each for each in signals if each.share >= _WORTH_A_FRAME * longest]
    inner = [each for each in worth if not any(each.band.frames(other.band) for other in worth)]
    longest = max(each.share for each in inner)
    return [each for each in inner if each.share >= _AS_LONG * longest]


def _count(signals: list[_Signal], band: Band, recording: int, share: float) -> None:
    for known in signals:
        if known.band.is_like(band):
            known.band = known.band.joined(band)
            known.shares[recording] = known.shares.get(recording, 0.0) + share
            return
    signals.append(_Signal(band, {recording: share}))
