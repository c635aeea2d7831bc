"""What a map shows of one fix, in metres of one local frame; drawn by `map_drawing`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.fix import Fix, ReceiverReport, Region
from heimdall.formats.reports import reported
from heimdall.geometry import LocalFrame
from heimdall.observation import Observation

Ring = NDArray[np.float64]
"""Shape (n, 2): east and north in m."""
_FAR_M = 8_000_000.0
"""A tangent frame shows the near half of the earth, and its rim too thin to draw on."""
_MARGIN = 1.3
"""Leaves the corners to the scale and the north arrow."""
_MOST_NAMES = 8
_LONGEST_NAME = 12
_MOST_REGION = 3.0
"""The overview grows for a region up to this many times the network."""
_CLOSE_UP_BELOW = 0.35
"""A close-up is worth its place where it shows less than this share of the overview."""


@dataclass(frozen=True, eq=False)
class EvidenceMap:
    """Log-likelihood or log posterior density at the cells of a rectangular grid; any constant may be missing from it.

    The cells may differ in size: a grid that is fine in the middle serves the overview and the close-up.
    """

    frame: LocalFrame
    east_m: NDArray[np.float64]
    """(columns,) cell middles, rising."""
    north_m: NDArray[np.float64]
    """(rows,) cell middles, rising."""
    log_density: NDArray[np.float64]
    """(rows, columns), south and west first."""
    height_m: float = 0.0
    """Height above the ellipsoid that the cells stand for: in a tangent frame it moves a place at the rim."""


@dataclass(frozen=True)
class Plan:
    """Places as they are drawn: east and north in a local frame, all taken to lie at one height."""

    frame: LocalFrame
    height_m: float = 0.0

    def to_m(self, latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (..., 2)."""
        return self.frame.to_enu(latitude_deg, longitude_deg, np.full(np.shape(latitude_deg), self.height_m))[..., :2]

    def place_m(self, latitude_deg: float | None, longitude_deg: float | None) -> NDArray[np.float64] | None:
        """None for no place, and for one too far away to show."""
        if (
            latitude_deg is None
            or longitude_deg is None
            or not abs(latitude_deg) <= 90
            or not abs(longitude_deg) <= 360
        ):
            return None
        enu = self.frame.to_enu(np.array(latitude_deg), np.array(longitude_deg), np.array(self.height_m))
        return enu[:2] if float(np.linalg.norm(enu)) < _FAR_M else None


@dataclass(frozen=True, eq=False)
class MappedReceiver:
    """A receiver with what became of it; `position_m` is None where it cannot be on the map."""

    label: str
    report: ReceiverReport
    position_m: NDArray[np.float64] | None


@dataclass(frozen=True)
class View:
    """A square of the frame, in m."""

    east_m: float
    north_m: float
    half_m: float

    def covers(self, position_m: NDArray[np.float64]) -> bool:
        return bool(np.all(np.abs(position_m - (self.east_m, self.north_m)) <= self.half_m))


@dataclass(frozen=True, eq=False)
class MapScene:
    fix: Fix
    plan: Plan
    receivers: tuple[MappedReceiver, ...]
    estimate_m: NDArray[np.float64] | None
    truth_m: NDArray[np.float64] | None
    region_68: tuple[tuple[Ring, ...], ...]
    region_95: tuple[tuple[Ring, ...], ...]
    evidence: tuple[EvidenceMap, ...]
    overview: View
    close_up: View | None
    """The surroundings of the region, where the overview would show them too small."""


def map_scene(fix: Fix, observation: Observation, evidence: Sequence[EvidenceMap] = ()) -> MapScene:
    """The scene in the evidence's frame, or in one round the receivers."""
    plan = Plan(evidence[0].frame, evidence[0].height_m) if evidence else Plan(_frame(observation, fix))
    receivers = _receivers(plan, fix, observation)
    estimate_m = plan.place_m(fix.latitude_deg, fix.longitude_deg)
    truth = fix.truth or observation.truth
    truth_m = plan.place_m(truth.latitude_deg, truth.longitude_deg) if truth else None
    region_68, region_95 = (_polygons_m(plan, region) for region in (fix.region_68, fix.region_95))
    marks = [place for place in (estimate_m, truth_m) if place is not None]
    overview = _overview(receivers, marks, region_95)
    return MapScene(
        fix=fix,
        plan=plan,
        receivers=receivers,
        estimate_m=estimate_m,
        truth_m=truth_m,
        region_68=region_68,
        region_95=region_95,
        evidence=tuple(evidence),
        overview=overview,
        close_up=_close_up(overview, marks, region_95),
    )


def _frame(observation: Observation, fix: Fix) -> LocalFrame:
    places = [
        (each.latitude_deg, each.longitude_deg)
        for each in observation.usable_receivers
        if abs(each.latitude_deg) <= 90 and abs(each.longitude_deg) <= 360
    ]
    if not places and fix.latitude_deg is not None and fix.longitude_deg is not None:
        places = [(fix.latitude_deg, fix.longitude_deg)]
    latitude_deg, longitude_deg = np.array(places or [(0.0, 0.0)]).T
    return LocalFrame.around(latitude_deg, longitude_deg)


def _receivers(plan: Plan, fix: Fix, observation: Observation) -> tuple[MappedReceiver, ...]:
    """Numbered where names would cover the map."""
    pairs = reported(fix, observation)
    numbered = len(pairs) > _MOST_NAMES or any(len(report.name) > _LONGEST_NAME for _, report in pairs)
    mapped = []
    for number, (reception, report) in enumerate(pairs, start=1):
        receiver = reception.receiver
        position_m = plan.place_m(receiver.latitude_deg, receiver.longitude_deg)
        mapped.append(MappedReceiver(str(number) if numbered else report.name, report, position_m))
    return tuple(mapped)


def _polygons_m(plan: Plan, region: Region | None) -> tuple[tuple[Ring, ...], ...]:
    if region is None:
        return ()
    return tuple(tuple(plan.to_m(ring[:, 1], ring[:, 0]) for ring in polygon) for polygon in region.polygons)


def _overview(
    receivers: Iterable[MappedReceiver], marks: Sequence[NDArray[np.float64]], region_95: Sequence[Sequence[Ring]]
) -> View:
    """Used receivers, estimate and truth; of the region, as much as is not out of proportion."""
    used = [one.position_m for one in receivers if one.report.used and one.position_m is not None]
    anchors = [*used, *marks] or [one.position_m for one in receivers if one.position_m is not None] or [np.zeros(2)]
    network = _bounding_view(np.array(anchors))
    rings = [ring for polygon in region_95 for ring in polygon[:1]]
    if not rings:
        return network
    reach_m = _MOST_REGION * network.half_m if used else _FAR_M
    center = np.array((network.east_m, network.north_m))
    clipped = np.clip(np.concatenate(rings), center - reach_m, center + reach_m)
    return _bounding_view(np.concatenate([np.array(anchors), clipped]))


def _close_up(overview: View, marks: Sequence[NDArray[np.float64]], region_95: Sequence[Sequence[Ring]]) -> View | None:
    rings = [ring for polygon in region_95 for ring in polygon[:1]]
    if not rings:
        return None
    view = _bounding_view(np.concatenate([*rings, *(mark[None] for mark in marks)]))
    return view if view.half_m < _CLOSE_UP_BELOW * overview.half_m else None


def _bounding_view(points_m: NDArray[np.float64]) -> View:
    low, high = points_m.min(axis=0), points_m.max(axis=0)
    half_m = max(float(np.max(high - low)) / 2, 10.0) * _MARGIN
    east_m, north_m = ((low + high) / 2).tolist()
    return View(east_m, north_m, half_m if math.isfinite(half_m) else _FAR_M)
