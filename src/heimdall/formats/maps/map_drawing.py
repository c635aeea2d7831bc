"""A map scene drawn with matplotlib: evidence, regions, receivers, estimate and truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path as DrawnPath
from numpy.typing import NDArray

from heimdall.formats.maps.map_furniture import draw_graticule, draw_ground, draw_north, draw_scale
from heimdall.formats.maps.map_pen import Palette, Pen
from heimdall.formats.maps.map_scene import EvidenceMap, MappedReceiver, MapScene, Ring, View

_EVIDENCE_ALPHA = 0.6
_SHADES = 96
"""Steps of opacity: too fine to be seen, coarse enough for a small file."""
_SAMPLES = 200
_LEAST_RANGE = 8.0
"""Log-likelihoods this far below the best are at least shown as nothing."""


def draw_map(axes: Axes, scene: MapScene, view: View, pen: Pen) -> None:
    """Everything of the scene that lies in the view."""
    draw_ground(axes, view, pen)
    for evidence in scene.evidence:
        _draw_evidence(axes, evidence, view, pen)
    draw_graticule(axes, scene.plan, view, pen)
    _draw_region(axes, scene.region_95, pen.palette, 0.12)
    _draw_region(axes, scene.region_68, pen.palette, 0.22)
    for group in _groups(scene.receivers, view):
        _draw_receivers(axes, group, view, pen)
    if scene.close_up is not None and view is scene.overview:
        _draw_box(axes, scene.close_up, view, pen.palette)
    _draw_marks(axes, scene, pen.palette)
    draw_scale(axes, view, pen)
    draw_north(axes, pen)


def legend_handles(scene: MapScene, palette: Palette) -> list[Line2D | Patch]:
    """One handle for each kind of mark that the scene has."""
    handles: list[Line2D | Patch] = [_handle("^", palette.ink, palette.ink, "receiver")]
    if any(not receiver.report.used for receiver in scene.receivers):
        handles.append(_handle("^", palette.panel, palette.muted, "receiver, not used"))
    if scene.estimate_m is not None:
        handles.append(_handle("P", palette.region, palette.region, "estimate"))
    if scene.truth_m is not None:
        handles.append(_handle("o", palette.panel, palette.truth, "truth"))
    if scene.region_95:
        handles.append(Patch(facecolor=palette.region, alpha=0.45, label="68 % region"))
        handles.append(Patch(facecolor=palette.region, alpha=0.18, label="95 % region"))
    if scene.evidence:
        handles.append(Patch(facecolor=palette.evidence, alpha=0.6, label="evidence"))
    return handles


def _handle(marker: str, face: str, edge: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker=marker, markersize=8.5, mfc=face, mec=edge, mew=1.2, label=label)


def _draw_evidence(axes: Axes, evidence: EvidenceMap, view: View, pen: Pen) -> None:
    """One hue; the more likely a place the more opaque, so that it reads on light and dark ground.

    The scale is that of the places in view.
    """
    log_density = _sampled(evidence, view)
    finite = log_density[np.isfinite(log_density)]
    if len(finite) == 0:
        return
    top = float(finite.max())
    span = max(_LEAST_RANGE, top - float(np.percentile(finite, 30)))
    share = np.clip((top - np.nan_to_num(log_density, nan=-np.inf)) / span, 0, 1)
    image = np.zeros((*share.shape, 4))
    image[..., :3] = to_rgb(pen.palette.evidence)
    image[..., 3] = np.round(_EVIDENCE_ALPHA * (1 - np.sqrt(share)) * _SHADES) / _SHADES
    edges = (
        view.east_m - view.half_m,
        view.east_m + view.half_m,
        view.north_m - view.half_m,
        view.north_m + view.half_m,
    )
    interpolation = "none" if pen.vector else "bilinear"
    axes.imshow(image, origin="lower", extent=edges, interpolation=interpolation, zorder=1, aspect="equal")


def _sampled(evidence: EvidenceMap, view: View) -> NDArray[np.float64]:
    """The evidence at even steps over the view, linearly interpolated; NaN beyond the grid."""
    unit = (2 * np.arange(_SAMPLES) + 1) / _SAMPLES - 1
    east_m, north_m = view.east_m + view.half_m * unit, view.north_m + view.half_m * unit
    column, row = _fractional(evidence.east_m, east_m), _fractional(evidence.north_m, north_m)
    floor = np.nanmin(evidence.log_density, initial=0.0, where=np.isfinite(evidence.log_density))
    values = np.nan_to_num(evidence.log_density, nan=floor, neginf=floor)
    west, south = (np.nan_to_num(np.floor(place)).astype(int) for place in (column, row))
    east, north = np.minimum(west + 1, values.shape[1] - 1), np.minimum(south + 1, values.shape[0] - 1)
    x, y = column - west, (row - south)[:, None]
    lower = values[south][:, west] * (1 - x) + values[south][:, east] * x
    upper = values[north][:, west] * (1 - x) + values[north][:, east] * x
    return np.asarray(lower * (1 - y) + upper * y)


def _fractional(middles_m: NDArray[np.float64], places_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places along an axis as fractional indices of its cells; the outermost cells end half a cell out."""
    index = np.interp(places_m, middles_m, np.arange(len(middles_m), dtype=float))
    low, high = middles_m[0] - _half_cell_m(middles_m[:2]), middles_m[-1] + _half_cell_m(middles_m[-2:])
    return np.where((places_m >= low) & (places_m <= high), index, np.nan)


def _half_cell_m(pair_m: NDArray[np.float64]) -> float:
    return float(pair_m[-1] - pair_m[0]) / 2


def _draw_region(axes: Axes, polygons: Sequence[Sequence[Ring]], palette: Palette, alpha: float) -> None:
    for polygon in polygons:
        path = DrawnPath.make_compound_path(*(DrawnPath(ring, closed=True) for ring in polygon))
        axes.add_patch(PathPatch(path, facecolor=palette.region, alpha=alpha, linewidth=0, zorder=2))
        axes.add_patch(PathPatch(path, fill=False, edgecolor=palette.region, linewidth=1.2, zorder=2.1))


def _groups(receivers: Sequence[MappedReceiver], view: View) -> list[list[MappedReceiver]]:
    """Receivers in view; those too near to each other for two labels share one."""
    groups: list[list[MappedReceiver]] = []
    for receiver in receivers:
        if receiver.position_m is None or not view.covers(receiver.position_m):
            continue
        near = (group for group in groups if math.dist(_position(group[0]), _position(receiver)) < 0.02 * view.half_m)
        group = next(near, None)
        if group is None:
            groups.append([receiver])
        else:
            group.append(receiver)
    return groups


def _position(receiver: MappedReceiver) -> NDArray[np.float64]:
    assert receiver.position_m is not None
    return receiver.position_m


def _draw_receivers(axes: Axes, group: Sequence[MappedReceiver], view: View, pen: Pen) -> None:
    palette = pen.palette
    for receiver in group:
        face, edge = (palette.ink, palette.paper) if receiver.report.used else (palette.panel, palette.muted)
        x, y = _position(receiver)
        axes.plot(x, y, "^", color=face, markeredgecolor=edge, markeredgewidth=1.2, markersize=pen.label_size, zorder=4)
    x, y = _position(group[0])
    label = ", ".join(receiver.label for receiver in group)
    near_right = (x - view.east_m) / view.half_m > 0.7
    align, shift = ("right", -6) if near_right else ("left", 6)
    color = palette.ink if any(receiver.report.used for receiver in group) else palette.muted
    pen.write(axes, label, (x, y), (shift, 0), color=color, align=(align, "center"))


def _draw_box(axes: Axes, close_up: View, view: View, palette: Palette) -> None:
    """Where the close-up lies, never smaller than can be seen."""
    half_m = max(close_up.half_m, 0.025 * view.half_m)
    corner = (close_up.east_m - half_m, close_up.north_m - half_m)
    axes.add_patch(
        Rectangle(
            corner,
            2 * half_m,
            2 * half_m,
            fill=False,
            edgecolor=palette.region,
            linewidth=0.9,
            linestyle="--",
            zorder=3,
        )
    )


def _draw_marks(axes: Axes, scene: MapScene, palette: Palette) -> None:
    if scene.truth_m is not None:
        axes.plot(*scene.truth_m, "o", mfc="none", mec=palette.paper, mew=4, markersize=11, zorder=5)
        axes.plot(*scene.truth_m, "o", mfc="none", mec=palette.truth, mew=2, markersize=11, zorder=5.1)
    if scene.estimate_m is not None:
        axes.plot(*scene.estimate_m, "P", color=palette.region, mec=palette.paper, mew=1.1, markersize=10, zorder=6)
