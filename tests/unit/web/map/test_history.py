"""The history: fixes by time and frequency, those without a position in the table only."""

from __future__ import annotations

import pytest

from heimdall.errors import InputError
from heimdall.web.map.fix_view import EMPTY
from heimdall.web.map.history import PastFix, history_scene, in_span, wanted_of


def fix(at_s: float, latitude_deg: float | None = 50.0) -> PastFix:
    longitude_deg = None if latitude_deg is None else 9.0
    return PastFix("s", "n", at_s, 77_500.0, "ok", latitude_deg, longitude_deg)


def test_empty_fields_limit_nothing_and_others_do() -> None:
    everything = wanted_of("", "", " ", 1e9)
    assert (everything.since_unix_s, everything.low_hz, everything.high_hz) == (None, None, None)
    some = wanted_of("3600", "70k", "80k", 1e9)
    assert (some.since_unix_s, some.low_hz, some.high_hz) == (1e9 - 3600, 70e3, 80e3)


@pytest.mark.parametrize(("low", "high", "said"), [("80k", "70k", "is above"), ("x", "", "not a frequency")])
def test_what_is_no_band_is_said(low: str, high: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        wanted_of("", low, high, 0.0)


def test_the_slider_takes_both_ends_and_the_view_holds_all() -> None:
    fixes = [fix(0.0, 40.0), fix(10.0), fix(20.0, None), fix(30.0, 60.0)]
    assert in_span(fixes, 10.0, 30.0) == [1, 2, 3]
    scene = history_scene(fixes, [1, 2], stay=True)
    assert [each["index"] for each in scene["fixes"]] == [1]
    (south, west), (north, east) = scene["bounds"]
    assert south < 40 < 60 < north
    assert west < 9 < east
    assert scene["stay"]


def test_one_fix_is_shown_with_what_is_around_it() -> None:
    (south, west), (north, east) = history_scene([fix(0.0)], [0])["bounds"]
    assert min(north - south, east - west) > 0.4


def test_nothing_is_drawn_where_there_is_no_position() -> None:
    assert history_scene([fix(0.0, None)], [0]) == EMPTY
    assert fix(0.0, None).to_row(0)["place"] == "no position"
