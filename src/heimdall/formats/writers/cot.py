"""Fixes as Cursor on Target events, version 2.0 (MITRE, Event.xsd)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from xml.etree import ElementTree

import numpy as np

from heimdall.errors import HeimdallError
from heimdall.fix import Fix
from heimdall.formats.wording import place_text
from heimdall.formats.writers.xml_text import element_text, xml_text
from heimdall.observation import Observation

_UNKNOWN_GROUND = "a-u-G"
_FUSED = "m-f"
"""How it was made: by a machine, corroborated from several sources."""
_UNKNOWN = "9999999.0"
_VALID_FOR = timedelta(hours=1)


def cot_pieces(pairs: Iterable[tuple[Fix, Observation]], now: datetime | None = None) -> Iterator[str]:
    """One `event` for a fix; several stand in an `events` element. Fixes without a position are left out.

    Raises HeimdallError where no fix has a position. `now` is when the events are made; they are stale an hour later.
    """
    now = now or datetime.now(UTC)
    events = (_event(fix, observation, now) for fix, observation in pairs if fix.latitude_deg is not None)
    first, second = next(events, None), next(events, None)
    if first is None:
        raise HeimdallError("no fix has a position, which Cursor on Target cannot express: write .json instead")
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    if second is None:
        yield element_text(first)
        return
    yield "<events>\n"
    for event in chain([first, second], events):
        yield element_text(event, level=1)
    yield "</events>\n"


def _event(fix: Fix, observation: Observation, now: datetime) -> ElementTree.Element:
    event = ElementTree.Element(
        "event",
        version="2.0",
        uid=xml_text(f"heimdall.{fix.id}"),
        type=_UNKNOWN_GROUND,
        how=_FUSED,
        time=_time(now),
        start=_time(min(observation.time_utc or now, now)),
        stale=_time(now + _VALID_FOR),
    )
    circular_m, linear_m = _errors_m(fix)
    ElementTree.SubElement(
        event,
        "point",
        lat=f"{fix.latitude_deg:.7f}",
        lon=f"{fix.longitude_deg:.7f}",
        hae=_UNKNOWN if fix.height_m is None else f"{fix.height_m:.1f}",
        ce=circular_m,
        le=linear_m,
    )
    detail = ElementTree.SubElement(event, "detail")
    ElementTree.SubElement(detail, "contact", callsign=xml_text(fix.id))
    ElementTree.SubElement(detail, "remarks").text = xml_text(f"{place_text(fix)}. {fix.advice}".strip())
    _add_region(detail, fix)
    return event


def _errors_m(fix: Fix) -> tuple[str, str]:
    """One standard deviation, as Event.xsd asks: of the 95 % region along its longer axis, and of the height, where known."""
    height = _UNKNOWN if fix.height_sigma_m is None else f"{fix.height_sigma_m:.1f}"
    if fix.covariance_enu_m2 is None:
        return _UNKNOWN, height
    widest = float(np.linalg.eigvalsh(fix.covariance_enu_m2[:2, :2])[-1])
    return f"{math.sqrt(max(widest, 0.0)):.1f}", height


def _add_region(detail: ElementTree.Element, fix: Fix) -> None:
    """The outer rings of the 95 % region as closed lines."""
    if fix.region_95 is None:
        return
    shape = ElementTree.SubElement(detail, "shape")
    for polygon in fix.region_95.polygons:
        line = ElementTree.SubElement(shape, "polyline", closed="true")
        for longitude_deg, latitude_deg in polygon[0]:
            ElementTree.SubElement(line, "vertex", lat=f"{latitude_deg:.7f}", lon=f"{longitude_deg:.7f}", hae="0")


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
