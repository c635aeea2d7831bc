"""The channel that the annotations of a session state: one signal's band, whatever each receiver was tuned to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import sigmf

from heimdall.formats.quantities import UNITS_HZ
from heimdall.formats.readers.recordings.tuning import WITHIN
from heimdall.formats.readers.sigmf.metadata import number

_ALIKE = 1.5
"""Bands that differ by no more than this are one, drawn by different hands."""
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
    name: str, annotations: Iterable[Mapping[str, Any]], frequency_hz: float | None, rate_hz: float | None
) -> tuple[tuple[Band, ...], list[str]]:
    """The bands of one recording's annotations, and notes on how they were read."""
    centre_hz = frequency_hz or 0.0
    most_hz = 0.5 * WITHIN * rate_hz if rate_hz is not None and rate_hz > 0 else math.inf
    bands, notes = dict[Band, None](), dict[str, None]()
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
            bands[Band(centre_hz + band.centre_hz, band.width_hz)] = None
    return tuple(bands), list(notes)


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


def stated_channel(bands_of: Sequence[Sequence[Band]]) -> tuple[Band | None, tuple[str, ...]]:
    """The band that most recordings annotate, each with any number of bands, and a note where others are left out.

    Of bands that as many annotate the lower median by width counts: a frame round all that was recorded is none.
    """
    signals: list[tuple[Band, set[int]]] = []
    for recording, bands in enumerate(bands_of):
        for band in bands:
            _count(signals, band, recording)
    if not signals:
        return None, ()
    most = max(len(recordings) for _, recordings in signals)
    leading = [band for band, recordings in signals if len(recordings) == most]
    width_hz = median_low([band.width_hz for band in leading])
    chosen = next(band for band in leading if band.width_hz == width_hz)
    if len(signals) == 1:
        return chosen, ()
    widths = [band.width_hz for band, _ in signals]
    return chosen, (
        f"annotations state {len(signals)} channels, {min(widths):.6g} to {max(widths):.6g} Hz wide: {chosen.width_hz:.6g} Hz is "
        f"taken, about {chosen.centre_hz:.12g} Hz; leave one annotation to locate another",
    )


def _count(signals: list[tuple[Band, set[int]]], band: Band, recording: int) -> None:
    for place, (known, recordings) in enumerate(signals):
        if known.is_like(band):
            signals[place] = known.joined(band), {*recordings, recording}
            return
    signals.append((band, {recording}))
