"""What a recorded session says of receivers beside their samples: why one gave none, a level alone, remarks."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from heimdall.formats.readers.sigmf.places import point
from heimdall.formats.readers.sigmf.values import number, text
from heimdall.formats.text import composed
from heimdall.observation import Receiver, Reception

RECEIVERS_KEY = "heimdall:receivers"
"""In the collection: one object a receiver."""


def receptions_without_samples(about: Mapping[str, Any], recorded: Collection[str]) -> list[Reception]:
    """Receivers that were asked and are not among the recordings: by their level, or with the reason."""
    return [_reception(account) for account in _accounts(about) if _name(account) not in recorded]


def remarks(about: Mapping[str, Any]) -> Iterator[str]:
    for account in _accounts(about):
        found = account.get("notes")
        for note in found if isinstance(found, list) else []:
            yield f"{text(account['name'])}: {text(note)}"


def _accounts(about: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = about.get(RECEIVERS_KEY)
    for account in found if isinstance(found, list) else []:
        if isinstance(account, dict) and text(account.get("name")):
            yield account


def _name(account: Mapping[str, Any]) -> str:
    return composed(text(account.get("name")) or "")


def _reception(account: Mapping[str, Any]) -> Reception:
    place = point(account.get("geolocation"))
    level_dbm = number(account.get("level_dbm"))
    reason = text(account.get("reason"))
    return Reception(
        Receiver(
            _name(account) or "unnamed",
            place.latitude_deg if place else math.nan,
            place.longitude_deg if place else math.nan,
            (place.height_m if place else None) or 0.0,
        ),
        rssi_dbm=level_dbm,
        rssi_sigma_db=number(account.get("level_sigma_db")),
        flaw=None if level_dbm is not None and place else reason or "it gave nothing",
    )
