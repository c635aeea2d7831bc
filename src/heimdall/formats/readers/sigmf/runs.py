"""The captures of a SigMF recording: those that follow each other without a gap are one run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sigmf

from heimdall.formats.readers.sigmf.dates import parse_utc
from heimdall.formats.readers.sigmf.places import point
from heimdall.formats.readers.sigmf.values import text
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Place

_AT_REST_M = 10.0
_AT_REST_HEIGHT_M = 20.0
"""Places of one antenna by GPS, minutes apart, differ by no more; heights by twice as much."""


@dataclass(frozen=True)
class Run:
    """Captures that follow each other without a gap: the first of them, and the samples they hold, by index."""

    capture: Mapping[str, Any]
    first: int
    last: int


def placed(capture: Mapping[str, Any], about: Mapping[str, Any]) -> Mapping[str, Any]:
    """The capture with the place of the whole recording, where it has none of its own."""
    place = capture.get(sigmf.GEOLOCATION_KEY) or about.get(sigmf.GEOLOCATION_KEY)
    return capture if place is None else {**capture, sigmf.GEOLOCATION_KEY: place}


def longest_run(
    name: str, captures: Sequence[Mapping[str, Any]], count: int, rate_hz: float | None
) -> tuple[Run, list[str]]:
    """The longest run of captures that follow each other in time at one frequency and place, and a note where there are several.

    One that says when it began counts before one that does not.
    """
    if not captures:
        return Run({}, 0, count), []
    starts = [*(int(capture[sigmf.SAMPLE_START_KEY]) for capture in captures), count]
    runs: list[Run] = []
    for capture, (first, last) in zip(captures, pairwise(starts), strict=True):
        if runs and _follows(runs[-1], capture, rate_hz):
            runs[-1] = Run(runs[-1].capture, runs[-1].first, last)
        else:
            runs.append(Run(capture, first, last))
    timed = [run for run in runs if parse_utc(run.capture.get(sigmf.DATETIME_KEY))[0] is not None]
    longest = max(timed or runs, key=lambda run: run.last - run.first)
    if len(captures) == 1:
        return longest, []
    if len(runs) == 1:
        return longest, [f"{name}: its {len(captures)} captures follow each other and are joined"]
    when = text(longest.capture.get(sigmf.DATETIME_KEY)) or f"sample {longest.first}"
    length = longest.last - longest.first
    return longest, [f"{name} has {len(captures)} captures; the longest, {length} samples from {when}, is used"]


def _follows(run: Run, capture: Mapping[str, Any], rate_hz: float | None) -> bool:
    """Whether a capture begins where a run ends, to half a sample, at the same frequency and place."""
    frequency_hz = capture.get(sigmf.FREQUENCY_KEY)
    if rate_hz is None or not rate_hz > 0 or frequency_hz not in (None, run.capture.get(sigmf.FREQUENCY_KEY)):
        return False
    if not at_one_place(*(point(each.get(sigmf.GEOLOCATION_KEY)) for each in (run.capture, capture))):
        return False
    (before, before_rest_s), (after, after_rest_s) = (
        parse_utc(each.get(sigmf.DATETIME_KEY)) for each in (run.capture, capture)
    )
    if before is None or after is None:
        return False
    elapsed_s = (after - before).total_seconds() + after_rest_s - before_rest_s
    return abs(elapsed_s * rate_hz - (int(capture[sigmf.SAMPLE_START_KEY]) - run.first)) <= 0.5


def at_one_place(run: Place | None, capture: Place | None) -> bool:
    """To what GPS scatters by at an antenna at rest. A capture without a place goes on where the run was."""
    if capture is None or run is None:
        return capture is None
    if abs((run.height_m or 0.0) - (capture.height_m or 0.0)) > _AT_REST_HEIGHT_M:
        return False
    places = (run.latitude_deg, run.longitude_deg, capture.latitude_deg, capture.longitude_deg)
    # What is not on the globe is for validation to say.
    on_globe = all(abs(latitude) <= 90 for latitude in places[::2]) and all(map(math.isfinite, places))
    return geodesic_distance_m(*places) <= _AT_REST_M if on_globe else run == capture
