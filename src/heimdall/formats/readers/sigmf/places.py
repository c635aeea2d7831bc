"""Positions in SigMF metadata as other programs write them, brought to GeoJSON Points."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sigmf

from heimdall.formats.coordinates import read_place
from heimdall.formats.readers.sigmf.values import number, number_written, sections, text
from heimdall.observation import Place

_LATITUDE_KEY, _LONGITUDE_KEY = "core:latitude", "core:longitude"
_NAMES = (("latitude_deg", "longitude_deg"), ("latitude", "longitude"), ("lat", "lon"), ("lat", "lng"))
HOW_TO_PLACE = 'write {"type": "Point", "coordinates": [longitude, latitude]}'
_LIKE_PLACES = re.compile(
    r"(?!heimdall:)(?:.*[:_])?(?:lat|lon|lng|latitude|longitude|geolocation|gps|position|location)(?:_deg)?", re.I
)


def point(value: object) -> Place | None:
    """A GeoJSON point, which has the longitude first."""
    coordinates = value.get("coordinates") if isinstance(value, Mapping) else None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        return None
    longitude_deg, latitude_deg, height_m = (number(axis) for axis in [*coordinates, None][:3])
    return None if longitude_deg is None or latitude_deg is None else Place(latitude_deg, longitude_deg, height_m)


def place_otherwise(value: object) -> Place | None:
    """Out of a text, a Feature, a Point whose numbers are strings, or by names. Two numbers in a list may be either one first."""
    if isinstance(value, str):
        written = read_place(value)
        return None if written is None else written.place
    if not isinstance(value, Mapping):
        return None
    if value.get("type") == "Feature":
        return place_otherwise(value.get("geometry"))
    features, coordinates = value.get("features"), value.get("coordinates")
    if isinstance(features, list) and len(features) == 1:
        return place_otherwise(features[0])
    if not isinstance(coordinates, list):
        return _named(value)
    if len(coordinates) == 1 and isinstance(coordinates[0], list):
        coordinates = coordinates[0]
    return point({"coordinates": [number_written(axis) for axis in coordinates]})


def _named(value: Mapping[str, Any]) -> Place | None:
    height_m = number_written(value.get("height_m"))
    for names in _NAMES:
        latitude_deg, longitude_deg = (number_written(value.get(name)) for name in names)
        if latitude_deg is not None and longitude_deg is not None:
            return Place(latitude_deg, longitude_deg, height_m)
    return None


def as_points(document: dict[str, Any]) -> list[str]:
    """Every position as a GeoJSON Point: out of other forms, without heights that are null, and out of older keys.

    What is none is taken out, and costs its receiver the position.
    """
    notes = []
    for segment in sections(document, "global", "captures"):
        place = segment.get(sigmf.GEOLOCATION_KEY)
        if isinstance(place, dict) and place.get("type") == "Feature":
            place = segment[sigmf.GEOLOCATION_KEY] = place.get("geometry")
            notes.append(f"the geometry of its {sigmf.GEOLOCATION_KEY}, a Feature, is read as its position")
        coordinates = place.get("coordinates") if isinstance(place, dict) else None
        if isinstance(coordinates, list) and len(coordinates) == 3 and coordinates[2] is None:
            del coordinates[2]
            notes.append("its height is null: it is taken to be on the ellipsoid")
        if place is not None and not _is_point(place):
            notes.append(_as_point(segment, place))
    return [*notes, *_old_places(document), *_elsewhere(document)]


def _is_point(place: object) -> bool:
    axes = place.get("coordinates") if isinstance(place, Mapping) and place.get("type") == "Point" else None
    return isinstance(axes, list) and len(axes) > 1 and all(number(axis) is not None for axis in axes)


def _as_point(segment: dict[str, Any], written: object) -> str:
    """Puts a position of another form right, or takes it out; the note on it."""
    place = place_otherwise(written)
    if place is None:
        del segment[sigmf.GEOLOCATION_KEY]
        return f"its {sigmf.GEOLOCATION_KEY} {quoted(written)} is not used: {HOW_TO_PLACE}"
    axes = [place.longitude_deg, place.latitude_deg, place.height_m]
    segment[sigmf.GEOLOCATION_KEY] = {"type": "Point", "coordinates": [axis for axis in axes if axis is not None]}
    read = f"latitude {place.latitude_deg:.9g}, longitude {place.longitude_deg:.9g}"
    return f"its {sigmf.GEOLOCATION_KEY} is read as {read}"


def quoted(value: object) -> str:
    return repr(text(value) if isinstance(value, str) else value)[:60]


def _old_places(document: dict[str, Any]) -> list[str]:
    if any(sigmf.GEOLOCATION_KEY in segment for segment in sections(document, "global", "captures")):
        return []
    for segment in sections(document, "captures", "global", "annotations"):
        latitude, longitude = number(segment.get(_LATITUDE_KEY)), number(segment.get(_LONGITUDE_KEY))
        about = document.get("global")
        if latitude is not None and longitude is not None and isinstance(about, dict):
            about[sigmf.GEOLOCATION_KEY] = {"type": "Point", "coordinates": [longitude, latitude]}
            return [f"{_LATITUDE_KEY} and {_LONGITUDE_KEY} are read as its position"]
    return []


def _elsewhere(document: Mapping[str, Any]) -> list[str]:
    """Keys that seem to hold a position, where there is none: whose it is they do not say."""
    segments = list(sections(document, "global", "captures"))
    if any(sigmf.GEOLOCATION_KEY in segment for segment in segments):
        return []
    keys = dict.fromkeys(key for segment in segments for key in segment if _LIKE_PLACES.fullmatch(key))
    if not keys:
        return []
    are = "is" if len(keys) == 1 else "are"
    return [f"its {' and '.join(keys)} {are} not read as its position: {HOW_TO_PLACE} as {sigmf.GEOLOCATION_KEY}"]
