"""What people type is understood or refused with what to write, and figures are worded for them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.errors import InputError
from heimdall.observation import Place
from heimdall.web import words
from heimdall.web.page_session import Latest, sentence


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_place_that_is_written_is_the_place_that_is_read(latitude: float, longitude: float) -> None:
    """With a comma or a space, as numbers are usually written."""
    for separator in (", ", ",", " ", "; "):
        found = words.read_place(f"{latitude:.6f}{separator}{longitude:.6f}")
        assert found is not None
        assert (found.latitude_deg, found.longitude_deg) == (
            pytest.approx(latitude, abs=1e-6),
            pytest.approx(longitude, abs=1e-6),
        )


def test_a_height_may_follow_and_brackets_may_stand_around() -> None:
    assert words.read_place("[46.5, 8.8, 480]") == Place(46.5, 8.8, 480.0)
    assert words.read_place("  ") is None


@pytest.mark.parametrize("text", ["somewhere", "50.0", "50.0, 9.0, 1, 2", "95, 10", "10, 190"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InputError, match="latitude"):
        words.read_place(text)


@given(st.text(max_size=40))
def test_no_text_is_read_as_a_place_off_the_globe(text: str) -> None:
    """It is refused, or a place, or nothing."""
    try:
        found = words.read_place(text)
    except InputError:
        return
    assert found is None or (abs(found.latitude_deg) <= 90 and abs(found.longitude_deg) <= 180)


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (89, "89 s"), (120, "2 min"), (5400, "1.5 h"), (200_000, "2.3 days")]
)
def test_durations_have_the_unit_people_would_take(seconds: float, text: str) -> None:
    assert words.duration_text(seconds) == text


def test_time_since_then_and_sizes() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert words.ago_text(now.timestamp() - 1, now) == "now"
    assert words.ago_text(now.timestamp() - 600, now) == "10 min ago"
    assert [words.bytes_text(size) for size in (7, 1500, 14_700_000, 3e9)] == ["7 bytes", "1.5 kB", "14.7 MB", "3 GB"]


def test_scores_are_named_for_people() -> None:
    assert words.score_name("hybrid/median_m") == "hybrid, median in m"
    assert words.score_name("coverage_95") == "coverage 95"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("more bytes than allowed", "More bytes than allowed."),
        ("quick.heimdall: not a bundle", "quick.heimdall: not a bundle."),
        ("Done.", "Done."),
    ],
)
def test_a_message_becomes_a_sentence_and_a_file_keeps_its_name(message: str, said: str) -> None:
    assert sentence(message) == said


@given(st.floats(-90, 90), st.floats(-180, 180), st.none() | st.floats(-1e3, 1e5))
def test_a_form_that_nobody_edits_gives_back_what_it_showed(
    latitude: float, longitude: float, height: float | None
) -> None:
    place = Place(latitude, longitude, height)
    assert words.read_place(words.place_text(place)) == place


def test_of_several_requests_the_last_one_counts() -> None:
    latest = Latest()
    first, second = latest.begin(), latest.begin()
    assert (first(), second()) == (False, True)
