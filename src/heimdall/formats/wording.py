"""How a fix, its lengths, places and frequencies are put into words, in every table, picture and page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from heimdall.fix import Fix, Near, ReceiverReport, Region, Without
from heimdall.formats.quantities import UNITS_HZ
from heimdall.geometry import LocalFrame

_ROUNDED_UP = 0.9995
"""What three digits round up to one of the next unit."""


def headline(fix: Fix) -> str:
    """What it is and how well it went."""
    if fix.latitude_deg is None:
        return f"{fix.id}: no position"
    if fix.truth is None:
        return fix.id
    return f"{fix.id}: {length_text(fix.truth.error_m)} from the truth"


def place_text(fix: Fix) -> str:
    """Position, size of the region, whether the truth is in it, method and receivers, as one line."""
    used = sum(report.used for report in fix.receivers)
    parts = [f"{used} of {len(fix.receivers)} receivers", fix.method]
    if fix.region_95 is not None:
        inside = "" if fix.truth is None else f", truth {'inside' if fix.truth.inside_95 else 'outside'}"
        parts.insert(0, f"95 % region {length_text(span_m(fix.region_95))} across{inside}")
    if fix.latitude_deg is not None and fix.longitude_deg is not None:
        height = height_text(fix)
        parts[:0] = [coordinates_text(fix.latitude_deg, fix.longitude_deg), *([f"height {height}"] if height else [])]
    return "  ·  ".join(parts)


def coordinates_text(latitude_deg: float, longitude_deg: float) -> str:
    if not math.isfinite(latitude_deg + longitude_deg):
        return "unknown"
    north, east = "N" if latitude_deg >= 0 else "S", "E" if longitude_deg >= 0 else "W"
    return f"{abs(latitude_deg):.4f}° {north} {abs(longitude_deg):.4f}° {east}"


def height_text(fix: Fix) -> str:
    """The height above the ellipsoid with its standard deviation; nothing where it is not known."""
    if fix.height_m is None:
        return ""
    if not fix.height_sigma_m:
        return f"{length_text(fix.height_m)}, as given"
    return f"{length_text(fix.height_m)} ± {length_text(fix.height_sigma_m)}"


def without_text(without: Without) -> str:
    """Where the transmitter is if that receiver is left out."""
    if without.latitude_deg is None or without.longitude_deg is None or without.reach_m is None:
        return "no position"
    place = coordinates_text(without.latitude_deg, without.longitude_deg)
    return f"{place}, 95 % within {length_text(without.reach_m)}"


def near_text(near: Near) -> str:
    """Which known transmitter it may well be."""
    return f"the known transmitter {near.name} is in the 95 % region, {length_text(near.distance_m)} from the position"


def receiver_remark(report: ReceiverReport) -> str:
    """The residual, or what there is instead of one; and what was taken off before."""
    remark = _residual_text(report)
    return f"{remark}; {report.correction}" if report.correction else remark


def _residual_text(report: ReceiverReport) -> str:
    if not report.used:
        return f"not used: {report.reason or 'no reason given'}"
    if report.residual_m is None:
        return report.reason or "power only"
    length = length_text(abs(report.residual_m))
    sign = "−" if report.residual_m < 0 else "+"
    return length if length == "0 m" else f"{sign}{length}"


def delay_text(delay_s: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if delay_s >= _ROUNDED_UP * size:
            return f"{delay_s / size:.3g} {unit}"
    return f"{delay_s * 1e9:.0f} ns"


def names_text(names: Sequence[str]) -> str:
    """A, B and C."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def length_text(length_m: float) -> str:
    """Two digits are all that a fix deserves. Where errors are compared: `error_text`."""
    if length_m < 0:
        return f"−{length_text(-length_m)}"
    if length_m < 1:
        return f"{length_m:.1f} m" if length_m >= 0.05 else "0 m"
    rounded_m = float(f"{length_m:.2g}")
    return f"{rounded_m:g} m" if rounded_m < 1000 else f"{rounded_m / 1000:g} km"


def error_text(length_m: float) -> str:
    """To the metre, from 10 km on to the kilometre."""
    return f"{length_m:.0f} m" if length_m < 10_000 else f"{length_m / 1e3:.0f} km"


def frequency_text(frequency_hz: float) -> str:
    for unit, factor in UNITS_HZ.items():
        if frequency_hz >= factor:
            return f"{frequency_hz / factor:.7g} {unit}"
    return f"{frequency_hz:.7g} Hz"


def band_text(low_hz: float, high_hz: float) -> str:
    """Where a band begins and ends."""
    return f"{low_hz / 1e6:.6g} to {high_hz / 1e6:.6g} MHz"


def span_m(region: Region) -> float:
    """The largest distance between two points of the outer rings."""
    points = np.concatenate([polygon[0] for polygon in region.polygons])
    frame = LocalFrame.around(points[:, 1], points[:, 0])
    position_m = frame.to_enu(points[:, 1], points[:, 0], np.zeros(len(points)))[:, :2]
    angles = np.linspace(0, np.pi, 90, endpoint=False)
    extent = position_m @ np.stack([np.cos(angles), np.sin(angles)])
    return float(np.max(extent.max(axis=0) - extent.min(axis=0)))
