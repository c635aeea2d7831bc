"""Charts are well-formed, stay in their frame, and say nothing where there is nothing."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.web.chart import Axis, Curve, line_chart, nice_step

Points = st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=1, max_size=30)


@given(Points)
def test_every_point_is_inside_the_picture(points: list[tuple[float, float]]) -> None:
    """Whatever the values, also where they are all the same."""
    svg = ElementTree.fromstring(line_chart("t", [Curve("a", points, dots=True)], "x", "y"))
    width, height = (float(part) for part in svg.attrib["viewBox"].split()[2:])
    for circle in svg.iter("circle"):
        assert 0 <= float(circle.attrib["cx"]) <= width
        assert 0 <= float(circle.attrib["cy"]) <= height


def test_higher_values_are_drawn_higher() -> None:
    svg = ElementTree.fromstring(line_chart("t", [Curve("a", [(0, 1), (1, 2)], dots=True)], "x", "y"))
    first, second = svg.iter("circle")
    assert float(first.attrib["cy"]) > float(second.attrib["cy"])
    assert float(first.attrib["cx"]) < float(second.attrib["cx"])


def test_nothing_to_draw_is_an_empty_text() -> None:
    assert line_chart("t", [Curve("a", []), Curve("b", [(0.0, float("nan"))])], "x", "y") == ""


def test_names_are_told_apart_and_escaped() -> None:
    svg = line_chart('<"t">', [Curve("a<b", [(0, 1)]), Curve("c", [(1, 2)], "b")], "x&y", "y")
    texts = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert {"a<b", "c", "x&y", "y"} <= set(texts)


def test_many_points_are_thinned_and_the_last_stays() -> None:
    svg = line_chart("t", [Curve("a", [(step, step) for step in range(10_000)], dots=True)], "x", "y")
    assert len(re.findall("<circle", svg)) < 500
    assert 'cx="448.0"' not in svg  # the axis leaves some room
    xs = [float(x) for x in re.findall(r'cx="([\d.]+)"', svg)]
    assert max(xs) == xs[-1]


@given(st.floats(1e-12, 1e12))
def test_a_step_is_a_round_number_not_much_larger(rough: float) -> None:
    step = nice_step(rough)
    assert rough * (1 - 1e-6) <= step <= 2.5 * rough * (1 + 1e-6)
    assert re.fullmatch(r"[125](\.0+)?e[+-]\d+", f"{step:.9e}")


def test_ticks_lie_within_their_axis() -> None:
    ticks = Axis("x", -3.0, 17.0).ticks()
    assert ticks == pytest.approx([0, 5, 10, 15])
