"""Fixes as GeoJSON (RFC 7946): estimate, regions, receivers and truth as features."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.fix import Fix, Region
from heimdall.formats.reports import reported
from heimdall.observation import Observation

Feature = dict[str, Any]


def geojson_pieces(pairs: Iterable[tuple[Fix, Observation]]) -> Iterator[str]:
    """One FeatureCollection; each feature's properties have `fix` (the id) and `kind`."""
    yield '{"type": "FeatureCollection", "features": ['
    before = ""
    for fix, observation in pairs:
        for feature in features_of(fix, observation):
            yield before + json.dumps(feature, ensure_ascii=False, allow_nan=False)
            before = ", "
    yield "]}\n"


def features_of(fix: Fix, observation: Observation) -> Iterator[Feature]:
    """Estimate, regions, receivers and, where it is known, the truth."""
    yield _feature(
        fix, "estimate", _point(fix.latitude_deg, fix.longitude_deg, fix.height_m), _estimate(fix, observation)
    )
    for region in (fix.region_68, fix.region_95):
        if region is not None:
            yield _feature(fix, "region", _multi_polygon(region), {"probability": region.probability})
    for reception, report in reported(fix, observation):
        receiver = reception.receiver
        properties = {
            "name": receiver.name,
            "clock": receiver.clock_class.value,
            "used": report.used,
            "reason": report.reason,
            "residual_m": report.residual_m,
            "correction": report.correction,
        }
        yield _feature(
            fix, "receiver", _point(receiver.latitude_deg, receiver.longitude_deg, receiver.height_m), properties
        )
    truth = fix.truth
    if truth is not None:
        properties = {"error_m": truth.error_m, "inside_68": truth.inside_68, "inside_95": truth.inside_95}
        yield _feature(fix, "truth", _point(truth.latitude_deg, truth.longitude_deg, None), properties)


def _estimate(fix: Fix, observation: Observation) -> dict[str, Any]:
    covariance = None if fix.covariance_enu_m2 is None else fix.covariance_enu_m2.tolist()
    return {
        "status": fix.status.value,
        "advice": fix.advice,
        "notes": list(observation.notes),
        "method": fix.method,
        "elapsed_ms": fix.elapsed_ms,
        "height_m": fix.height_m,
        "height_sigma_m": fix.height_sigma_m,
        "protection_level_m": fix.protection_level_m,
        "near": None if fix.near is None else vars(fix.near),
        "covariance_enu_m2": covariance,
    }


def _feature(fix: Fix, kind: str, geometry: dict[str, Any] | None, properties: dict[str, Any]) -> Feature:
    return {"type": "Feature", "geometry": geometry, "properties": {"fix": fix.id, "kind": kind, **properties}}


def _point(latitude_deg: float | None, longitude_deg: float | None, height_m: float | None) -> dict[str, Any] | None:
    """None, which GeoJSON allows, for a place nobody knows."""
    if latitude_deg is None or longitude_deg is None or not math.isfinite(latitude_deg + longitude_deg):
        return None
    height = [] if height_m is None or not math.isfinite(height_m) else [height_m]
    return {"type": "Point", "coordinates": [longitude_deg, latitude_deg, *height]}


def _multi_polygon(region: Region) -> dict[str, Any]:
    """Outer rings counterclockwise, holes clockwise, as the RFC asks."""
    polygons = [
        [_wound(ring, counterclockwise=index == 0).tolist() for index, ring in enumerate(polygon)]
        for polygon in region.cut()
    ]
    return {"type": "MultiPolygon", "coordinates": polygons}


def _wound(ring: NDArray[np.float64], counterclockwise: bool) -> NDArray[np.float64]:
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    twice_area = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    return ring if (twice_area > 0) == counterclockwise else ring[::-1]
