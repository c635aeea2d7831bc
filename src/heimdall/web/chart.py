"""Curves as SVG that follows the page's colours, made here so that a page needs nothing from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 460.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 22.0, 34.0
_LETTER = 6.4
"""Width of a letter of the legend, about."""
_MOST_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """`kind` names its colour in the style sheet: a, b, c, or rule for a thin line to compare with."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "a"
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    label: str
    low: float
    high: float

    def ticks(self) -> list[float]:
        """Round values inside, four or five of them."""
        step = nice_step((self.high - self.low) / 4)
        first = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


def line_chart(
    title: str, curves: Sequence[Curve], x_label: str, y_label: str, x: Axis | None = None, y: Axis | None = None
) -> str:
    """An SVG element; an empty text where there is nothing to draw."""
    drawn = [Curve(each.name, _thinned(_finite(each.points)), each.kind, each.dots) for each in curves]
    drawn = [each for each in drawn if each.points]
    if not drawn:
        return ""
    x = x or _axis(x_label, [point[0] for each in drawn for point in each.points])
    y = y or _axis(y_label, [point[1] for each in drawn for point in each.points])
    parts = [_grid(x, y), *(_curve(each, x, y) for each in drawn), _legend(drawn)]
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )


def nice_step(rough: float) -> float:
    """The round number next above: 1, 2 or 5 times a power of ten."""
    if not rough > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _axis(label: str, values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or max(abs(high) * 0.1, 0.5)
    return Axis(label, low - room if low < 0 or low > room else 0.0, high + room)


def _finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = math.ceil(len(points) / _MOST_POINTS) or 1
    return points[::stride] if (len(points) - 1) % stride == 0 else [*points[::stride], points[-1]]


def _at(axis: Axis, value: float, start: float, end: float) -> float:
    return start + (value - axis.low) / (axis.high - axis.low) * (end - start)


def _x(axis: Axis, value: float) -> float:
    return _at(axis, value, _LEFT, _WIDTH - _RIGHT)


def _y(axis: Axis, value: float) -> float:
    return _at(axis, value, _HEIGHT - _BOTTOM, _TOP)


def _grid(x: Axis, y: Axis) -> str:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for value in y.ticks():
        height = _y(y, value)
        parts.append(f'<path class="rule-line" d="M{_LEFT:g} {height:.1f}H{right:g}"/>')
        parts.append(f'<text x="{_LEFT - 6:g}" y="{height + 4:.1f}" text-anchor="end">{value:.6g}</text>')
    for value in x.ticks():
        parts.append(f'<text x="{_x(x, value):.1f}" y="{bottom + 16:g}" text-anchor="middle">{value:.6g}</text>')
    parts.append(f'<text x="{right:g}" y="{_HEIGHT - 4:g}" text-anchor="end">{escape(x.label)}</text>')
    parts.append(f'<text x="4" y="{_TOP - 6:g}">{escape(y.label)}</text>')
    return "".join(parts)


def _curve(curve: Curve, x: Axis, y: Axis) -> str:
    places = [(_x(x, first), _y(y, second)) for first, second in curve.points]
    path = "M" + "L".join(f"{across:.1f} {down:.1f}" for across, down in places)
    dots = (
        "".join(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3"/>' for across, down in places) if curve.dots else ""
    )
    return f'<g class="curve {curve.kind}"><path d="{path}"/>{dots}</g>'


def _legend(curves: Sequence[Curve]) -> str:
    """Above the plot, from the right, where there is more than one name to tell apart."""
    named = [curve for curve in curves if curve.name]
    if len(named) < 2:
        return ""
    parts, right = [], _WIDTH - _RIGHT
    for curve in reversed(named):
        left = right - _LETTER * len(curve.name) - 26
        parts.append(f'<g class="curve {curve.kind}"><path d="M{left:.0f} {_TOP - 10:g}h16"/></g>')
        parts.append(f'<text x="{left + 21:.0f}" y="{_TOP - 6:g}">{escape(curve.name)}</text>')
        right = left - 8
    return "".join(parts)
