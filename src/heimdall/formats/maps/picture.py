"""Fixes as pictures: PNG for a document, SVG for the report page."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heimdall.fix import Fix
from heimdall.formats.maps.map_drawing import draw_map, legend_handles
from heimdall.formats.maps.map_pen import LIGHT, Palette, Pen
from heimdall.formats.maps.map_scene import EvidenceMap, MappedReceiver, MapScene, map_scene
from heimdall.formats.wording import headline, place_text, receiver_remark
from heimdall.observation import Observation

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "svg.fonttype": "path",
    "path.simplify": True,
}
_MAP_IN = 4.7
_BARS_IN = 2.7
_EDGE_IN = 0.3
_HEAD_IN = 1.1
_FOOT_IN = 0.55
_DPI = 160
_LETTERS_AN_INCH = 14.5
_FEWEST_ROWS = 10
_SHORT_REMARK = 12


def png(fix: Fix, observation: Observation, evidence: Sequence[EvidenceMap] = (), palette: Palette = LIGHT) -> bytes:
    """One fix as a PNG: overview, close-up where the region is small, and the receivers' residuals."""
    scene = map_scene(fix, observation, evidence)
    with matplotlib.rc_context(_STYLE):
        figure = _whole_figure(scene, palette)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_DPI, facecolor=palette.paper)
    return stream.getvalue()


def map_svg(scene: MapScene, palette: Palette, *, narrow: bool, salt: str) -> str:
    """The maps alone as an SVG element, side by side or below each other. `salt` keeps ids of several on a page apart."""
    views = [scene.overview, *([scene.close_up] if scene.close_up else [])]
    columns = 1 if narrow else len(views)
    rows = len(views) // columns
    side_in, gap_in, legend_in = (3.7 if narrow else _MAP_IN), 0.15, (0.75 if narrow else 0.4)
    width_in = columns * side_in + (columns - 1) * gap_in
    height_in = rows * side_in + (rows - 1) * gap_in + legend_in
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=(width_in, height_in))
        for index, view in enumerate(views):
            left = (index % columns) * (side_in + gap_in)
            top = (index // columns) * (side_in + gap_in)
            axes = _axes(figure, left, height_in - top - side_in, side_in, side_in)
            draw_map(axes, scene, view, Pen(palette, 9.5 if narrow else 8.0, vector=True))
        _legend(figure, scene, palette, 3 if narrow else 7)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _whole_figure(scene: MapScene, palette: Palette) -> Figure:
    views = [scene.overview, *([scene.close_up] if scene.close_up else [])]
    width_in = len(views) * (_MAP_IN + _EDGE_IN) + _EDGE_IN + _BARS_IN
    height_in = _MAP_IN + _HEAD_IN + _FOOT_IN
    figure = Figure(figsize=(width_in, height_in))
    for index, view in enumerate(views):
        axes = _axes(figure, _EDGE_IN + index * (_MAP_IN + _EDGE_IN), _FOOT_IN, _MAP_IN, _MAP_IN)
        draw_map(axes, scene, view, Pen(palette))
    left_in = _EDGE_IN + len(views) * (_MAP_IN + _EDGE_IN)
    _draw_residuals(_axes(figure, left_in, _FOOT_IN, _BARS_IN - _EDGE_IN, _MAP_IN), scene, palette)
    _legend(figure, scene, palette, 7)
    _head(figure, scene, palette)
    return figure


def _axes(figure: Figure, left_in: float, bottom_in: float, width_in: float, height_in: float) -> Axes:
    width, height = figure.get_size_inches()
    return figure.add_axes((left_in / width, bottom_in / height, width_in / width, height_in / height))


def _legend(figure: Figure, scene: MapScene, palette: Palette, columns: int) -> None:
    handles = legend_handles(scene, palette)
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=min(columns, len(handles)),
        frameon=False,
        fontsize=8.5,
        labelcolor=palette.ink,
        borderaxespad=0.4,
        handletextpad=0.5,
        columnspacing=1.6,
    )


def _head(figure: Figure, scene: MapScene, palette: Palette) -> None:
    """Headline, place, and as much of the advice as two lines hold."""
    width, height = figure.get_size_inches()
    left = _EDGE_IN / width
    columns = int((width - 2 * _EDGE_IN) * _LETTERS_AN_INCH)
    advice = textwrap.fill(scene.fix.advice, columns, max_lines=2, placeholder=" …")
    lines = [
        (0.2, headline(scene.fix), 13.0, "bold", palette.ink),
        (0.5, place_text(scene.fix), 9.0, "normal", palette.ink),
    ]
    for top_in, text, size, weight, color in [*lines, (0.71, advice, 8.5, "normal", palette.muted)]:
        top = 1 - top_in / height
        figure.text(left, top, text, fontsize=size, fontweight=weight, color=color, va="top", parse_math=False)


def _draw_residuals(axes: Axes, scene: MapScene, palette: Palette) -> None:
    """A bar for each receiver: how much later (right) or earlier (left) than expected its signal came."""
    axes.set_axis_off()
    rows = max(len(scene.receivers), _FEWEST_ROWS)
    size = 8.5 if rows <= 16 else 6.0
    residuals_m = [one.report.residual_m for one in scene.receivers if one.report.used]
    largest_m = max((abs(residual_m) for residual_m in residuals_m if residual_m is not None), default=0.0) or 1.0
    axes.set_xlim(-1, 1)
    axes.set_ylim(rows + 0.5, 0)
    axes.text(-1, 0, "Receivers and path residuals", fontsize=9, fontweight="bold", color=palette.ink, va="top")
    for row, receiver in enumerate(scene.receivers):
        _draw_residual(axes, receiver, row + 0.5, largest_m, size, palette)


def _draw_residual(
    axes: Axes, receiver: MappedReceiver, top: float, largest_m: float, size: float, palette: Palette
) -> None:
    report = receiver.report
    name = report.name if receiver.label == report.name else f"{receiver.label}  {report.name}"
    remark, color = receiver_remark(report), palette.ink if report.used else palette.muted
    short = len(remark) <= _SHORT_REMARK
    style: Any = {"color": color, "parse_math": False}
    axes.text(-1, top + 0.3, _fit(name, 24 if short else 34), fontsize=size, va="center", **style)
    if short:
        axes.text(1, top + 0.3, remark, fontsize=size, va="center", ha="right", **style)
    else:
        text = textwrap.fill(remark, 46, max_lines=2, placeholder=" …")
        axes.text(-1, top + 0.48, text, fontsize=size - 2, va="top", **{**style, "color": palette.muted})
    if report.used and report.residual_m is not None:
        axes.barh(top + 0.62, report.residual_m / largest_m * 0.96, 0.16, color=palette.evidence)
        axes.plot([0, 0], [top + 0.5, top + 0.74], color=palette.muted, linewidth=0.8)


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
