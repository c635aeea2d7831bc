"""What a collection states of its session: numbers and the known transmitter, also as other programs write them.

What is plain is read, what is not is left out; a note says either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from heimdall.formats.readers.sigmf.places import HOW_TO_PLACE, place_otherwise, point, quoted
from heimdall.formats.readers.sigmf.values import number_written
from heimdall.observation import Place

TRUTH_KEY = "heimdall:truth"
TRANSMITTER_HEIGHT_KEY = "heimdall:transmitter_height_m"
FREQUENCY_KEY = "heimdall:frequency_hz"
BANDWIDTH_KEY = "heimdall:bandwidth_hz"
_POSITIVE = (FREQUENCY_KEY, BANDWIDTH_KEY)
_NUMBERS = (TRANSMITTER_HEIGHT_KEY, *_POSITIVE)


def with_plain_values(about: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The collection with its numbers as numbers, those that cannot be left out, and a note on each that was changed."""
    plain = dict(about)
    notes = []
    for key in _NUMBERS:
        value = about.get(key)
        plain[key] = figure = number_written(value)
        if figure is None and value is not None:
            notes.append(f"collection: {key} {quoted(value)} is not used: write a number")
        elif figure is not None and key in _POSITIVE and not 0 < figure < math.inf:
            notes.append(f"collection: {key} of {figure:.6g} is not used: it cannot be right")
        elif isinstance(value, str):
            notes.append(f"collection: {key}, a string, is read as the number {figure:.12g}")
    return plain, tuple(notes)


def stated_truth(about: Mapping[str, Any]) -> tuple[Place | None, tuple[str, ...]]:
    """The known transmitter. Two numbers in a list may be either one first: they are not read."""
    value = about.get(TRUTH_KEY)
    if value is None or (place := point(value)) is not None:
        return (None if value is None else place), ()
    place = place_otherwise(value)
    if place is None:
        return None, (f"collection: {TRUTH_KEY} {quoted(value)} is not used: {HOW_TO_PLACE}",)
    read = f"latitude {place.latitude_deg:.9g}, longitude {place.longitude_deg:.9g}"
    return place, (f"collection: {TRUTH_KEY} is read as {read}",)
