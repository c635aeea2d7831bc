"""What is concluded: the one type that every estimator makes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from heimdall.antimeridian import cut
from heimdall.geometry import geodesic_distance_m, great_circle_rad
from heimdall.observation import Place

_FEW = 64
"""Corners of a region that are measured exactly."""
_FLATTENING_SHARE = 0.007
"""By how much the ratio of geodesics to great circles varies: the furthest corner by the former is within it by the latter."""
_HIGHEST_DEG = 90 - 1e-9
"""Short of the pole, where all edges that meet there still have a length."""


class Status(StrEnum):
    """What kind of answer a fix is; its `advice` says what follows from it."""

    OK = "ok"
    POWER_ONLY = "power-only"
    AMBIGUOUS = "ambiguous"
    INCONSISTENT = "inconsistent"
    """What the receivers say cannot all be true: `advice` names the most suspicious one where it can."""
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, eq=False, repr=False)
class Region:
    """The area that holds the transmitter with the given probability: polygons, outer ring first, then its holes.

    A ring is an array of shape (n, 2), longitude and latitude in degrees, closed.
    """

    probability: float
    polygons: tuple[tuple[NDArray[np.float64], ...], ...]

    def __repr__(self) -> str:
        corners = sum(len(ring) - 1 for polygon in self.polygons for ring in polygon)
        return f"<Region {self.probability:.0%}: {len(self.polygons)} polygons, {corners} corners>"

    def contains(self, latitude_deg: float, longitude_deg: float) -> bool:
        """Even-odd rule over all rings, so that holes count as outside; a ring round a pole holds the pole."""
        x, y = (longitude_deg + 180) % 360 - 180, min(max(latitude_deg, -_HIGHEST_DEG), _HIGHEST_DEG)
        crossings = sum(_crossings(ring, x, y) for polygon in self.cut() for ring in polygon)
        return crossings % 2 == 1

    def reach_m(self, latitude_deg: float, longitude_deg: float) -> float:
        """Distance in m from a place to the furthest point of the region."""
        rings = [ring for polygon in self.polygons for ring in polygon]
        corners = np.concatenate(rings)
        apart = great_circle_rad(latitude_deg, longitude_deg, corners[:, 1], corners[:, 0])
        nearly = apart >= (1 - _FLATTENING_SHARE) * apart.max()
        few = corners[nearly][np.argsort(apart[nearly])[-_FEW:]]
        return max(geodesic_distance_m(latitude_deg, longitude_deg, float(y), float(x)) for x, y in few)

    def cut(self) -> list[tuple[NDArray[np.float64], ...]]:
        """The polygons with longitudes from -180 to 180 degrees, cut at the date line and led round the poles."""
        return [piece for polygon in self.polygons for piece in cut(polygon)]

    def to_geojson(self) -> dict[str, object]:
        return {
            "type": "MultiPolygon",
            "coordinates": [[ring.tolist() for ring in polygon] for polygon in self.cut()],
        }


def _crossings(ring: NDArray[np.float64], x: float, y: float) -> int:
    """How many edges of the ring a ray from (x, y) eastwards crosses."""
    x0, y0, x1, y1 = ring[:-1, 0], ring[:-1, 1], ring[1:, 0], ring[1:, 1]
    straddles = (y0 > y) != (y1 > y)
    height = np.where(straddles, y1 - y0, 1.0)
    return int(np.sum(straddles & (x < x0 + (y - y0) * (x1 - x0) / height)))


@dataclass(frozen=True)
class ReceiverReport:
    """What became of one receiver: used or not, why not, and how far its path was off.

    The residual is in m, positive where the signal came late; None without an arrival time. `correction` says what was taken
    off before locating.
    """

    name: str
    used: bool
    reason: str | None = None
    residual_m: float | None = None
    correction: str | None = None


@dataclass(frozen=True)
class Without:
    """The fix that is left when the most suspicious receiver is left out."""

    receiver: str
    status: Status
    latitude_deg: float | None
    longitude_deg: float | None
    reach_m: float | None
    """Distance from the position to the furthest point of its 95 % region; None without a position."""

    def to_json(self) -> dict[str, object]:
        return {**vars(self), "status": self.status.value}


@dataclass(frozen=True)
class TruthCheck:
    """The fix held against a known transmitter."""

    latitude_deg: float
    longitude_deg: float
    error_m: float
    inside_68: bool
    inside_95: bool


@dataclass(frozen=True)
class Near:
    """A known transmitter on the frequency of the fix, inside its 95 % region."""

    name: str
    frequency_hz: float
    distance_m: float
    """Distance from the position of the fix."""


@dataclass(frozen=True, eq=False, repr=False)
class Fix:
    """A position with its regions. Position, covariance and regions are None where the status is `insufficient`."""

    id: str
    status: Status
    advice: str
    method: str
    receivers: tuple[ReceiverReport, ...]
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    height_m: float | None = None
    """Height above the ellipsoid; None if it was neither given nor can be determined."""
    covariance_enu_m2: NDArray[np.float64] | None = None
    """Shape (3, 3): of the position error, to fit the 95 % region; the row of a height that is not estimated is zero."""
    region_68: Region | None = None
    region_95: Region | None = None
    elapsed_ms: float = 0.0
    truth: TruthCheck | None = None
    height_sigma_m: float | None = None
    """Standard deviation of the height: 0 where it was given, None with an unknown one."""
    protection_level_m: float | None = None
    """Of a fix that is `ok`: the radius around the position that holds the transmitter with 95 % even if one arrival time, no
    matter whose, is wrong. None if the others alone would not determine a position, without arrival times, and for sky waves."""
    without: Without | None = None
    """Where the status is `inconsistent`."""
    near: Near | None = None
    """Set if a list of known transmitters is at hand, as in `heimdall locate` and the service."""

    def __repr__(self) -> str:
        if (reach_m := self.reach_m) is None:
            return f"<Fix {self.id}: {self.status}, {self.advice}>"
        return f"<Fix {self.id}: {self.status}, {self.latitude_deg:.5f}, {self.longitude_deg:.5f}, 95 % within {reach_m:.0f} m>"

    @property
    def reach_m(self) -> float | None:
        """Distance from the position to the furthest point of its 95 % region; None without a position."""
        if self.latitude_deg is None or self.longitude_deg is None or self.region_95 is None:
            return None
        return self.region_95.reach_m(self.latitude_deg, self.longitude_deg)

    def to_json(self) -> dict[str, object]:
        """The fix as the contract of `heimdall locate --json` has it."""
        return {
            "id": self.id,
            "status": self.status.value,
            "advice": self.advice,
            "latitude_deg": self.latitude_deg,
            "longitude_deg": self.longitude_deg,
            "height_m": self.height_m,
            "height_sigma_m": self.height_sigma_m,
            "protection_level_m": self.protection_level_m,
            "covariance_enu_m2": None if self.covariance_enu_m2 is None else self.covariance_enu_m2.tolist(),
            "region_68": None if self.region_68 is None else self.region_68.to_geojson(),
            "region_95": None if self.region_95 is None else self.region_95.to_geojson(),
            "method": self.method,
            "elapsed_ms": self.elapsed_ms,
            "receivers": [vars(report) for report in self.receivers],
            "truth": None if self.truth is None else vars(self.truth),
            "without": None if self.without is None else self.without.to_json(),
            "near": None if self.near is None else vars(self.near),
        }


def joined_advice(*parts: str | None) -> str:
    """The parts that say something, the most important first."""
    return "; ".join(filter(None, parts))


def check_against(
    truth: Place | None, latitude_deg: float, longitude_deg: float, region_68: Region, region_95: Region
) -> TruthCheck | None:
    """How the given answer does against the truth, or None where there is none."""
    if truth is None:
        return None
    return TruthCheck(
        truth.latitude_deg,
        truth.longitude_deg,
        geodesic_distance_m(latitude_deg, longitude_deg, truth.latitude_deg, truth.longitude_deg),
        region_68.contains(truth.latitude_deg, truth.longitude_deg),
        region_95.contains(truth.latitude_deg, truth.longitude_deg),
    )
