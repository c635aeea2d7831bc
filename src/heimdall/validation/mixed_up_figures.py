"""Positions whose figures were mixed up when they were written down."""

from __future__ import annotations

import math
from collections.abc import Iterator

_SHIFTS = (0.01, 0.1, 10.0, 100.0)
"""Factors by which a misplaced decimal point multiplies."""


def as_meant(latitude: float, longitude: float) -> Iterator[tuple[str, tuple[float, float]]]:
    """What such a position in degrees may have been, each with the mistake in words; only other places on the globe."""
    for mistake, (north, east) in _possible(latitude, longitude):
        if abs(north) <= 90 and abs(east) <= 180 and (north, east) != (latitude, longitude):
            yield mistake, (north, east)


def _possible(latitude: float, longitude: float) -> Iterator[tuple[str, tuple[float, float]]]:
    yield "latitude and longitude swapped", (longitude, latitude)
    yield "the sign of its longitude changed", (latitude, -longitude)
    yield "the sign of its latitude changed", (-latitude, longitude)
    yield "both signs changed", (-latitude, -longitude)
    for shift in _SHIFTS:
        yield "the decimal point of its latitude moved", (latitude * shift, longitude)
        yield "the decimal point of its longitude moved", (latitude, longitude * shift)
        yield "both decimal points moved", (latitude * shift, longitude * shift)
    for other in _digits_exchanged(latitude):
        yield "two digits of its latitude exchanged", (other, longitude)
    for other in _digits_exchanged(longitude):
        yield "two digits of its longitude exchanged", (latitude, other)


def _digits_exchanged(degrees: float) -> Iterator[float]:
    """The angles with two neighbouring digits of the whole degrees exchanged."""
    part, whole = math.modf(abs(degrees))
    digits = f"{whole:.0f}"
    for place in range(len(digits) - 1):
        exchanged = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
        yield math.copysign(int(exchanged) + part, degrees)
