"""Curves by Apache ECharts, which NiceGUI brings along, in the page's colours and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

_MOST_POINTS = 400
_COLOURS = {"a": "var(--evidence)", "b": "var(--region)", "c": "var(--truth)", "rule": "var(--muted)"}
_TEXT = {"color": "var(--muted)", "fontFamily": "inherit", "fontSize": 11.5}


@dataclass(frozen=True)
class Curve:
    """`kind` names its colour: a, b, c, or rule for a thin dashed line to compare with."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "a"
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    """Where `low` or `high` is not given the values decide."""

    label: str
    low: float | None = None
    high: float | None = None


class LineChart:
    """A chart that is drawn anew as values come, and says `otherwise` until there are any."""

    def __init__(self, title: str, x: Axis, y: Axis, otherwise: str) -> None:
        self._title, self._x, self._y = title, x, y
        self._chart = ui.echart({}, renderer="svg").classes("chart")
        self._otherwise = ui.html(f'<p class="muted">{otherwise}</p>', sanitize=False)
        self.draw([])

    def draw(self, curves: Sequence[Curve]) -> None:
        options = chart_options(self._title, curves, self._x, self._y)
        self._chart.set_visibility(options is not None)
        self._otherwise.set_visibility(options is None)
        if options is not None and options != self._chart.options:
            self._chart.options.clear()
            self._chart.options.update(options)


def chart_options(title: str, curves: Sequence[Curve], x: Axis, y: Axis) -> dict[str, Any] | None:
    """What ECharts is told; None where there is nothing to draw."""
    drawn = [(each, points) for each in curves if (points := _thinned(_finite(each.points)))]
    if not any(each.kind != "rule" for each, _ in drawn):
        return None
    names = [each.name for each, _ in drawn if each.name]
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": title}},
        "grid": {"left": 52, "right": 14, "top": 30, "bottom": 38},
        "legend": {
            "show": len(names) > 1,
            "data": names,
            "right": 10,
            "top": 0,
            "textStyle": _TEXT,
            "inactiveColor": "var(--line)",
        },
        "tooltip": {"trigger": "axis", "confine": True, "backgroundColor": "var(--panel)", "textStyle": _TEXT},
        "xAxis": _axis(x) | {"nameLocation": "middle", "nameGap": 24, "splitLine": {"show": False}},
        "yAxis": _axis(y) | {"nameLocation": "end", "splitLine": {"lineStyle": {"color": "var(--line)"}}},
        "series": [_series(each, points) for each, points in drawn],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    line = {"lineStyle": {"color": "var(--line)"}}
    bounds = {name: value for name, value in (("min", axis.low), ("max", axis.high)) if value is not None}
    return {
        "type": "value",
        "scale": True,
        "name": axis.label,
        "nameTextStyle": _TEXT | {"align": "left"},
        "axisLabel": _TEXT,
        "axisLine": line,
        "axisTick": line,
        **bounds,
    }


def _series(curve: Curve, points: list[tuple[float, float]]) -> dict[str, Any]:
    colour, rule = _COLOURS[curve.kind], curve.kind == "rule"
    return {
        "type": "line",
        "name": curve.name,
        "data": points,
        "showSymbol": curve.dots,
        "symbol": "circle",
        "symbolSize": 6,
        "color": colour,
        "lineStyle": {"color": colour, "width": 1.2 if rule else 2, "type": "dashed" if rule else "solid"},
        "emphasis": {"disabled": True},
        "tooltip": {"show": not rule},
        "silent": rule,
    }


def _finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = math.ceil(len(points) / _MOST_POINTS) or 1
    return points[::stride] if (len(points) - 1) % stride == 0 else [*points[::stride], points[-1]]
