"""What every map has round its subject: ground, graticule, scale and north."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from heimdall.formats.maps.map_pen import Pen
from heimdall.formats.maps.map_scene import Plan, Ring, View

_POINTS = 60


def draw_ground(axes: Axes, view: View, pen: Pen) -> None:
    axes.set_xlim(view.east_m - view.half_m, view.east_m + view.half_m)
    axes.set_ylim(view.north_m - view.half_m, view.north_m + view.half_m)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor(pen.palette.panel)
    for spine in axes.spines.values():
        spine.set_color(pen.palette.grid)


def draw_graticule(axes: Axes, plan: Plan, view: View, pen: Pen) -> None:
    """Meridians and parallels, three or so of each, with their degrees at the left and lower edge."""
    frame = plan.frame
    corners = np.array([(x, y, 0) for x in (-1, 0, 1) for y in (-1, 0, 1)]) * view.half_m + (
        view.east_m,
        view.north_m,
        0,
    )
    latitude_deg, longitude_deg, _ = frame.to_geodetic(corners)
    longitude_deg = frame.longitude_deg + (longitude_deg - frame.longitude_deg + 180) % 360 - 180
    along_latitude, along_longitude = (_along(values_deg) for values_deg in (latitude_deg, longitude_deg))
    for degrees in _round_degrees(latitude_deg):
        line_m = plan.to_m(np.full(_POINTS, degrees), along_longitude)
        _draw_line(axes, line_m, view, pen, f"{abs(degrees):g}° {'N' if degrees >= 0 else 'S'}", 0)
    for degrees in _round_degrees(longitude_deg):
        line_m = plan.to_m(along_latitude, np.full(_POINTS, degrees))
        wrapped = round((degrees + 180) % 360 - 180, 8)
        _draw_line(axes, line_m, view, pen, f"{abs(wrapped):g}° {'E' if wrapped >= 0 else 'W'}", 1)


def draw_scale(axes: Axes, view: View, pen: Pen) -> None:
    """A bar of a round length, at most a third of the width, in the lower right corner."""
    length_m = round_length(0.66 * view.half_m)
    right, bottom = view.east_m + 0.93 * view.half_m, view.north_m - 0.88 * view.half_m
    height, ink = 0.018 * view.half_m, pen.palette.ink
    for index, color in enumerate((ink, pen.palette.paper)):
        corner = (right - length_m * (1 - index / 2), bottom)
        axes.add_patch(Rectangle(corner, length_m / 2, height, facecolor=color, edgecolor=ink, linewidth=0.8, zorder=7))
    text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    pen.write(axes, text, (right - length_m / 2, bottom + height), (0, 2), color=ink, align=("center", "bottom"))


def draw_north(axes: Axes, pen: Pen) -> None:
    axes.annotate(
        "N",
        xy=(0.945, 0.965),
        xytext=(0.945, 0.865),
        xycoords="axes fraction",
        ha="center",
        va="center",
        color=pen.palette.ink,
        fontsize=pen.label_size,
        fontweight="bold",
        zorder=7,
        arrowprops={"arrowstyle": "-|>", "color": pen.palette.ink, "linewidth": 1.4, "shrinkA": 1, "shrinkB": 0},
    )


def round_length(length: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not above the length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length * (1 + 1e-9))


def _along(values_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Steps from somewhat before the least to somewhat beyond the largest value."""
    beyond_deg = 0.2 * float(np.ptp(values_deg))
    return np.linspace(values_deg.min() - beyond_deg, values_deg.max() + beyond_deg, _POINTS)


def _round_degrees(values_deg: NDArray[np.float64]) -> list[float]:
    low, high = float(np.min(values_deg)), float(np.max(values_deg))
    step = round_length(max(high - low, 1e-6) / 2.5)
    return [round(index * step, 8) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _draw_line(axes: Axes, line_m: Ring, view: View, pen: Pen, text: str, axis: int) -> None:
    """`axis` 0 is a parallel, labelled at the left edge; 1 is a meridian, labelled at the lower edge."""
    axes.plot(line_m[:, 0], line_m[:, 1], color=pen.palette.grid, linewidth=0.6, zorder=1.5, scalex=False, scaley=False)
    center = (view.east_m, view.north_m)
    edge = center[axis] - view.half_m
    order = np.argsort(line_m[:, axis])
    across = float(np.interp(edge, line_m[order, axis], line_m[order, 1 - axis]))
    share = (across - center[1 - axis]) / view.half_m
    if not -0.9 < share < (0.93, 0.72)[axis]:
        return
    inset = edge + 0.02 * view.half_m
    place = (inset, across) if axis == 0 else (across, inset)
    pen.write(axes, text, place, (2, 1), color=pen.palette.muted, size=0.85, align=("left", "bottom"))
