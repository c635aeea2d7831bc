"""What people type after an option, as times and places."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from heimdall.errors import InputError
from heimdall.observation import Place


def moment(text: str, option: str) -> datetime:
    """A date and time as ISO 8601 has it, in UTC where it says no zone. Raises InputError that names the option."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text}: write 2030-01-31T18:00Z") from None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def place_of(text: str, option: str) -> Place:
    """Latitude,longitude[,height], or as people write it otherwise. Raises InputError that names the option."""
    try:
        latitude, longitude, *height = (float(part) for part in text.split(","))
        height_m = float(*height) if height else None
    except (ValueError, TypeError) as error:
        if (written := written_place(text)) is not None:
            return written
        raise InputError(f"{option} {text}: give latitude and longitude in degrees, as 50.0155,9.0108") from error
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and math.isfinite(height_m or 0.0)):
        raise InputError(f"{option} {text}: not on the globe")
    return Place(latitude, longitude, height_m)


def written_place(text: str) -> Place | None:
    """A position in another form than plain numbers, unless it leaves more open than an error to be measured."""
    from heimdall.formats.coordinates import COARSE_M, read_place

    found = read_place(text)
    if found is None or found.sigma_m > COARSE_M:
        return None
    on_globe = abs(found.place.latitude_deg) <= 90 and abs(found.place.longitude_deg) <= 180
    return found.place if on_globe else None
