"""What people get wrong when they write down where a receiver stands, and which of it would put it right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import FOOT_M
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Receiver
from heimdall.validation.mixed_up_figures import as_meant

_FAR = 3.0
"""A receiver this many times as far from the middle of the others as the furthest of them stands apart."""
_NEAR = 2.0
"""One within this many times that distance stands among them."""
_LEAST_SPREAD_M = 1_000.0
_SUMMIT_M = 100.0
"""Others above this height make a height of 0 suspicious, and a unit that brings it nearer to theirs by as much another one."""
_UNITS_M = {"feet": FOOT_M, "kilometres": 1000.0}
"""What heights are given in by mistake."""
_MOST_MINUTES = 60 - 1e-6
_COARSE_DECIMALS = 1
_DEGREE_M = 111_200.0


@dataclass(frozen=True)
class CorrectedPlace:
    """A receiver as it may have been meant."""

    receiver: Receiver
    words: str
    """What would have to be true, with the place: "with latitude and longitude swapped (46.4994, 8.7988)"."""


def corrections(receiver: Receiver, others: Sequence[Receiver]) -> Iterator[CorrectedPlace]:
    """Every common mistake undone, one at a time."""
    latitude, longitude = receiver.latitude_deg, receiver.longitude_deg
    for change, (north, east) in as_meant(latitude, longitude):
        place = f"{north:.5g}, {east:.5g}"
        yield CorrectedPlace(replace(receiver, latitude_deg=north, longitude_deg=east), f"with {change} ({place})")
    for unit, meant in (("degrees and minutes", from_minutes(receiver)), ("radians", from_radians(receiver))):
        if meant is not None:
            place = f"{meant.latitude_deg:.5g}, {meant.longitude_deg:.5g}"
            yield CorrectedPlace(meant, f"with its position taken as {unit} ({place})")
    yield from _height_corrections(receiver, others)


def from_radians(receiver: Receiver) -> Receiver | None:
    """The receiver where its position is if it was written in radians; None if it cannot have been."""
    if abs(receiver.latitude_deg) > math.pi / 2 or abs(receiver.longitude_deg) > math.pi:
        return None
    latitude, longitude = math.degrees(receiver.latitude_deg), math.degrees(receiver.longitude_deg)
    return replace(receiver, latitude_deg=latitude, longitude_deg=longitude)


def from_minutes(receiver: Receiver) -> Receiver | None:
    """The receiver if minutes stand behind the point (47.30 for 47 degrees and 30 minutes); None if they cannot be minutes."""
    written = receiver.latitude_deg, receiver.longitude_deg
    minutes = [100 * math.modf(each)[0] for each in written]
    if max(map(abs, minutes)) > _MOST_MINUTES:
        return None
    latitude, longitude = (math.trunc(each) + part / 60 for each, part in zip(written, minutes, strict=True))
    return replace(receiver, latitude_deg=latitude, longitude_deg=longitude)


def _height_corrections(receiver: Receiver, others: Sequence[Receiver]) -> Iterator[CorrectedPlace]:
    others_m = float(np.median([other.height_m for other in others]))
    if receiver.height_m == 0 and others_m > _SUMMIT_M:
        yield CorrectedPlace(
            replace(receiver, height_m=others_m), f"at the others' height of {others_m:.0f} m instead of 0"
        )
    for unit, size in _UNITS_M.items():
        height_m = receiver.height_m * size
        nearer_m = abs(receiver.height_m - others_m) - abs(height_m - others_m)
        if nearer_m > _SUMMIT_M:
            yield CorrectedPlace(replace(receiver, height_m=height_m), f"with its height in {unit} ({height_m:.0f} m)")


def standing_apart(position_N3: NDArray[np.float64]) -> list[int]:
    """Receivers that stand much further from the middle of the others than any of those does; places in m, in any frame."""
    count = len(position_N3)
    others_NM = np.nonzero(~np.eye(count, dtype=bool))[1].reshape(count, count - 1)
    others_NM3 = position_N3[others_NM]
    middle_N3 = np.median(others_NM3, axis=1)
    spread_m = np.max(np.linalg.norm(others_NM3 - middle_N3[:, None], axis=-1), axis=1)
    away_m = np.linalg.norm(position_N3 - middle_N3, axis=-1)
    return [int(index) for index in np.flatnonzero(away_m > _FAR * np.maximum(spread_m, _LEAST_SPREAD_M))]


def back_among(receiver: Receiver, others: Sequence[Receiver]) -> Iterator[CorrectedPlace]:
    """The corrections that put a receiver that stands apart among the others."""
    middle = [float(np.median(axis)) for axis in zip(*((r.latitude_deg, r.longitude_deg) for r in others), strict=True)]
    spread_m = max(_LEAST_SPREAD_M, *(_distance_m(other, middle) for other in others))
    for correction in corrections(receiver, others):
        if _distance_m(correction.receiver, middle) <= _NEAR * spread_m:
            yield correction


def _distance_m(receiver: Receiver, place: Sequence[float]) -> float:
    return geodesic_distance_m(receiver.latitude_deg, receiver.longitude_deg, place[0], place[1])


def coarseness(receiver: Receiver) -> str | None:
    """How roughly its place is given, where that is suspicious; None where it is not."""
    decimals = max(_decimals(receiver.latitude_deg), _decimals(receiver.longitude_deg))
    if decimals > _COARSE_DECIMALS:
        return None
    given = "whole degrees" if decimals == 0 else "tenths of a degree"
    off_m = float(f"{0.5 * _DEGREE_M * 2**0.5 / 10**decimals:.1g}")
    return f"its position is given in {given}, up to {off_m / 1e3:.0f} km off"


def _decimals(degrees: float) -> int:
    """Digits behind the point that it was written with, as far as a number still tells."""
    text = f"{degrees:.9f}".rstrip("0")
    return len(text.partition(".")[2])
