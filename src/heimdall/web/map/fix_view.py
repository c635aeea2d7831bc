"""A fix as the page shows it: what lies on the map, and what is said beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heimdall.estimation.region import GridPosterior
from heimdall.fix import Fix, ReceiverReport, Region, Status
from heimdall.formats.reports import reported
from heimdall.formats.wording import (
    coordinates_text,
    frequency_text,
    height_text,
    length_text,
    receiver_remark,
    span_m,
    without_text,
)
from heimdall.formats.writers.geojson import features_of
from heimdall.locating.information_share import Contributions, contributions
from heimdall.locating.located import Located
from heimdall.observation import ClockClass, Observation, Receiver
from heimdall.service.concurrent_locating import LocatedSession
from heimdall.service.database.tables import RegisteredReceiver
from heimdall.web.map.evidence_grid import box_of, evidence_grid

Scene = dict[str, Any]
"""What the map draws: GeoJSON features with their styles' names, evidence, bounds."""
_MARGIN = 1.15
_ONE_PLACE_DEG, _SURROUNDINGS_DEG = 1e-3, 0.5
_REGION_AT_MOST = 3.0
"""The view grows for a region up to this many times what the receivers span."""
EMPTY: Scene = {"features": [], "evidence": None, "bounds": None}


@dataclass(frozen=True)
class Figure:
    """A value with its name; `tone` is good, bad or empty; `help` explains it."""

    name: str
    value: str
    tone: str = ""
    help: str = ""


@dataclass(frozen=True)
class ReceiverRow:
    name: str
    clock: str
    used: bool
    remark: str
    residual: float | None
    """Residual as a share of the largest, -1 to 1."""
    share: float | None
    """Share of the information, 0 to 1."""


def scene_of(answer: LocatedSession, index: int) -> Scene:
    fix, observation, posterior = answer.fixes[index], answer.observations[index], answer.located[index].posterior
    features = features_of(fix, observation)
    return {
        "features": [feature for feature in features if feature["geometry"] is not None],
        "evidence": None if posterior is None else evidence_grid(posterior),
        "bounds": _bounds(fix, observation),
    }


def receivers_scene(rows: Sequence[RegisteredReceiver]) -> Scene:
    """Registered receivers, where there is nothing else to show."""
    if not rows:
        return EMPTY
    features = [_receiver_feature(row) for row in rows]
    points = np.array([[row.longitude_deg, row.latitude_deg] for row in rows])
    return {"features": features, "evidence": None, "bounds": box_of(_with_surroundings(points), 1.3).to_bounds()}


def _with_surroundings(points: np.ndarray) -> np.ndarray:
    """Adds the surroundings of receivers at one place, which would otherwise be shown without anything that tells where it is."""
    if np.ptp(points, axis=0).max() > _ONE_PLACE_DEG:
        return points
    return np.clip(
        np.concatenate([points - _SURROUNDINGS_DEG, points + _SURROUNDINGS_DEG]), [-np.inf, -90], [np.inf, 90]
    )


@dataclass(frozen=True)
class FixRow:
    """One of many fixes."""

    index: int
    name: str
    status: str
    latitude_deg: float | None
    longitude_deg: float | None
    region: str
    error: str


def fix_rows(answer: LocatedSession, indices: Sequence[int]) -> list[FixRow]:
    """`indices` are those of the observations in their session."""
    return [
        FixRow(
            index,
            fix.id,
            fix.status.value,
            fix.latitude_deg,
            fix.longitude_deg,
            "" if fix.region_95 is None else length_text(span_m(fix.region_95)),
            "" if fix.truth is None else length_text(fix.truth.error_m),
        )
        for index, fix in zip(indices, answer.fixes, strict=True)
    ]


def fixes_scene(answer: LocatedSession, rows: Sequence[FixRow]) -> Scene:
    """The receivers of all and a point for each fix."""
    receivers = {each.name: each for observation in answer.observations for each in observation.usable_receivers}
    features = [_receiver_feature(each) for each in receivers.values()]
    fixes = [
        {
            "index": row.index,
            "name": f"{row.name}: {row.status}",
            "latitude_deg": row.latitude_deg,
            "longitude_deg": row.longitude_deg,
        }
        for row in rows
        if row.latitude_deg is not None
    ]
    points = [(each.longitude_deg, each.latitude_deg) for each in receivers.values()]
    points += [(row.longitude_deg, row.latitude_deg) for row in rows if row.longitude_deg is not None]  # type: ignore[misc]
    bounds = box_of(np.array(points, dtype=float), _MARGIN).to_bounds() if points else None
    return {"features": features, "fixes": fixes, "evidence": None, "bounds": bounds}


def _receiver_feature(receiver: Receiver | RegisteredReceiver) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [receiver.longitude_deg, receiver.latitude_deg]},
        "properties": {
            "kind": "receiver",
            "name": receiver.name,
            "used": True,
            "clock": ClockClass.of(receiver.clock_sigma_s).value,
        },
    }


_BOUND_HELP = (
    "The Cramér-Rao bound: no estimator whose errors average out can do better, on average, with these receivers, clocks and "
    "signal. An error of one to two times the bound is as good as it gets."
)
_REGION_HELP = "Of 100 such regions, 95 hold the transmitter, if receivers and propagation are as assumed."
_PROTECTION_HELP = (
    "Holds the transmitter with 95 % even if the arrival time of one receiver, no matter which, is wrong."
)


def figures_of(
    fix: Fix, observation: Observation, found: Contributions | None, posterior: GridPosterior | None = None
) -> list[Figure]:
    figures = [Figure("status", fix.status.value, _tone(fix.status))]
    if fix.latitude_deg is not None and fix.longitude_deg is not None:
        figures.append(Figure("position", coordinates_text(fix.latitude_deg, fix.longitude_deg)))
    if fix.height_m is not None:
        figures.append(Figure("height", height_text(fix)))
    if fix.without is not None:
        figures.append(Figure(f"without {fix.without.receiver}", without_text(fix.without), "warn"))
    if fix.region_95 is not None:
        figures.append(Figure("95 % region across", length_text(span_m(fix.region_95)), help=_REGION_HELP))
        if posterior is not None and cut_at_edge(posterior, fix.region_95):
            figures.append(Figure("region", "cut at the edge of the searched area: it goes on beyond", "warn"))
    if fix.protection_level_m is not None:
        figures.append(Figure("protection level (radius)", length_text(fix.protection_level_m), help=_PROTECTION_HELP))
    if found is not None and found.bound_m is not None:
        figures.append(Figure("bound (rms)", length_text(found.bound_m), help=_BOUND_HELP))
    if fix.truth is not None:
        figures += _against_truth(fix, found)
    figures.append(Figure("frequency", frequency_text(observation.frequency_hz)))
    if observation.time_utc is not None:
        figures.append(Figure("time", f"{observation.time_utc:%Y-%m-%d %H:%M:%S} UTC"))
    figures.append(Figure("method", f"{fix.method}, {fix.elapsed_ms:.0f} ms"))
    return figures


def rows_of(located: Located, observation: Observation, found: Contributions | None) -> list[ReceiverRow]:
    pairs = reported(located.fix, observation)
    largest_m = max((abs(report.residual_m or 0.0) for _, report in pairs), default=0.0) or 1.0
    shares: Sequence[float | None] = [None] * len(pairs) if found is None else found.shares
    return [
        _row(reception.receiver, report, largest_m, share)
        for (reception, report), share in zip(pairs, shares, strict=True)
    ]


def details_of(answer: LocatedSession, index: int) -> tuple[list[Figure], list[ReceiverRow]]:
    located, observation = answer.located[index], answer.observations[index]
    found = contributions(located)
    return figures_of(located.fix, observation, found, located.posterior), rows_of(located, observation, found)


def cut_at_edge(posterior: GridPosterior, region: Region) -> bool:
    """Whether the region ends only because the grid does: a corner of it lies beyond the outermost cells' middles."""
    rings = np.concatenate([ring for polygon in region.polygons for ring in polygon])
    up = np.full(len(rings), posterior.height_m)
    east_m, north_m = posterior.frame.to_enu(rings[:, 1], rings[:, 0], up)[:, :2].T
    return any(
        bool(np.any(place_m < middles_m[0]) or np.any(place_m > middles_m[-1]))
        for place_m, middles_m in ((east_m, posterior.east_m), (north_m, posterior.north_m))
    )


def _against_truth(fix: Fix, found: Contributions | None) -> list[Figure]:
    truth = fix.truth
    assert truth is not None
    inside = "inside 68 %" if truth.inside_68 else "inside 95 %" if truth.inside_95 else "outside 95 %"
    figures = [Figure("from the truth", f"{length_text(truth.error_m)}, {inside}", "" if truth.inside_95 else "bad")]
    if found is not None and found.bound_m:
        figures.append(Figure("error to the bound", f"{truth.error_m / found.bound_m:.1f} ×"))
    return figures


def _row(receiver: Receiver, report: ReceiverReport, largest_m: float, share: float | None) -> ReceiverRow:
    residual = report.residual_m / largest_m if report.used and report.residual_m is not None else None
    return ReceiverRow(report.name, receiver.clock_class.value, report.used, receiver_remark(report), residual, share)


def _tone(status: Status) -> str:
    return {Status.OK: "good", Status.INCONSISTENT: "bad", Status.INSUFFICIENT: "bad"}.get(status, "warn")


def _bounds(fix: Fix, observation: Observation) -> list[list[float]] | None:
    """Receivers, estimate and truth; of the region as much as is not out of proportion."""
    places = [(each.longitude_deg, each.latitude_deg) for each in observation.usable_receivers]
    for place in (fix, fix.truth):
        if place is not None and place.latitude_deg is not None and place.longitude_deg is not None:
            places.append((place.longitude_deg, place.latitude_deg))
    known = np.array([place for place in places if math.isfinite(sum(place))])
    if not len(known):
        return None
    if fix.region_95 is None or not fix.region_95.polygons:
        return box_of(known, _MARGIN).to_bounds()
    middle = (known.min(axis=0) + known.max(axis=0)) / 2
    reach = _REGION_AT_MOST * np.maximum(np.ptp(known, axis=0) / 2, 1e-4)
    rings = np.concatenate([polygon[0] for polygon in fix.region_95.polygons])
    return box_of(np.concatenate([known, np.clip(rings, middle - reach, middle + reach)]), _MARGIN).to_bounds()
