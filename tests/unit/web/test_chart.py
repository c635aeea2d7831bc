"""What charts draw: finite values, no more than a screen shows, and nothing where there is nothing."""

from __future__ import annotations

import json

from heimdall.web.chart import Axis, Curve, chart_options

X, Y = Axis("x"), Axis("y", 0.0, 1.0)


def test_nothing_to_draw_is_no_chart():
    assert chart_options("t", [Curve("a", []), Curve("b", [(0.0, float("nan"))])], X, Y) is None
    assert chart_options("t", [Curve("", [(0, 0), (1, 1)], "rule"), Curve("a", [])], X, Y) is None


def test_values_that_are_no_numbers_are_left_out_and_the_rest_is_json():
    options = chart_options("t", [Curve("a", [(0, 1), (1, float("inf")), (2, 3)])], X, Y)
    assert options["series"][0]["data"] == [(0, 1), (2, 3)]
    json.dumps(options, allow_nan=False)


def test_many_points_are_thinned_and_the_last_stays():
    for count in (10_000, 10_001, 799):
        points = chart_options("t", [Curve("a", [(step, step) for step in range(count)])], X, Y)["series"][0]["data"]
        assert 200 <= len(points) <= 402
        assert (points[0], points[-1]) == ((0, 0), (count - 1, count - 1))


def test_a_legend_where_there_are_names_to_tell_apart():
    rule = Curve("", [(0, 0), (1, 1)], "rule")
    one, two = Curve("one", [(0, 1)]), Curve("two", [(1, 2)], "b")
    assert not chart_options("t", [rule, one], X, Y)["legend"]["show"]
    legend = chart_options("t", [rule, one, two], X, Y)["legend"]
    assert (legend["show"], legend["data"]) == (True, ["one", "two"])


def test_axes_have_their_names_and_the_bounds_that_were_given():
    options = chart_options("t", [Curve("a", [(0, 1)])], X, Y)
    assert options["xAxis"]["name"] == "x"
    assert "min" not in options["xAxis"]
    assert (options["yAxis"]["min"], options["yAxis"]["max"]) == (0.0, 1.0)
