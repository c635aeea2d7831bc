"""Distance and bearing between two places that were clicked, and the way between them, along the geodesic."""

from __future__ import annotations

from dataclasses import dataclass

from geographiclib.geodesic import Geodesic

from heimdall.formats.wording import coordinates_text

_PIECES = 32
"""Pieces of the line that is drawn."""
LatLon = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    distance_m: float
    bearing_deg: float
    """Bearing from the first place to the second, clockwise from north."""
    back_bearing_deg: float
    """Bearing from the second place to the first."""
    path: list[LatLon]
    """Latitudes and longitudes; a line over the date line goes on beyond 180°."""

    @property
    def text(self) -> str:
        return f"{_distance_text(self.distance_m)}, bearing {self.bearing_deg:.1f}°, back {self.back_bearing_deg:.1f}°"


def measure(a: LatLon, b: LatLon) -> Measured:
    """The geodesic between two places on WGS84 (Karney 2013)."""
    mask = Geodesic.STANDARD | Geodesic.LONG_UNROLL
    line = Geodesic.WGS84.InverseLine(*a, *b, mask | Geodesic.DISTANCE_IN)
    end = line.Position(line.s13, mask)
    steps = [line.Position(line.s13 * step / _PIECES, mask) for step in range(_PIECES + 1)]
    path = [(float(each["lat2"]), float(each["lon2"])) for each in steps]
    return Measured(float(line.s13), line.azi1 % 360.0, (end["azi2"] + 180.0) % 360.0, path)


def drawing(points: list[LatLon]) -> dict[str, object] | None:
    """What the map draws while somebody measures."""
    if not points:
        return None
    if len(points) == 1:
        return {"points": points, "path": [], "label": f"From {coordinates_text(*points[0])}"}
    found = measure(points[0], points[1])
    return {"points": points, "path": found.path, "label": found.text}


def _distance_text(distance_m: float) -> str:
    return f"{distance_m / 1000:,.2f} km" if distance_m >= 1000 else f"{distance_m:.0f} m"
