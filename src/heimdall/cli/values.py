"""What people type after an option, as numbers and places."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from heimdall.errors import InputError
from heimdall.observation import Place

_FACTORS = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


def hertz(text: str) -> float:
    """77.5k, 1M, 433.92M, 1.2G, or plain hertz. Raises InputError."""
    number, factor = text.strip(), 1.0
    if number[-1:] in _FACTORS:
        number, factor = number[:-1], _FACTORS[number[-1]]
    try:
        value = float(number) * factor
    except ValueError:
        value = 0.0
    if not 0 < value < 1e12:
        raise InputError(f"{text!r} is no frequency: write 77500, 77.5k or 433.92M")
    return value


def moment(text: str, option: str) -> datetime:
    """A date and time as ISO 8601 has it, in UTC where it says no zone. Raises InputError that names the option."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text}: write 2030-01-31T18:00Z") from None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def place_of(text: str, option: str) -> Place:
    """Latitude,longitude[,height]. Raises InputError that names the option."""
    try:
        latitude, longitude, *height = (float(part) for part in text.split(","))
        height_m = float(*height) if height else None
    except (ValueError, TypeError) as error:
        raise InputError(f"{option} {text}: give latitude and longitude in degrees, as 50.0155,9.0108") from error
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and math.isfinite(height_m or 0.0)):
        raise InputError(f"{option} {text}: not on the globe")
    return Place(latitude, longitude, height_m)
