"""Places are understood in every notation that people use, or refused with what to write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.errors import InputError
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Place
from heimdall.web import places


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_place_that_is_written_is_the_place_that_is_read(latitude: float, longitude: float) -> None:
    """With a comma or a space, as numbers are usually written."""
    for separator in (", ", ",", " ", "; "):
        found = places.read_place(f"{latitude:.6f}{separator}{longitude:.6f}")
        assert found is not None
        assert (found.latitude_deg, found.longitude_deg) == (
            pytest.approx(latitude, abs=1e-6),
            pytest.approx(longitude, abs=1e-6),
        )


def test_a_height_may_follow_and_brackets_may_stand_around() -> None:
    assert places.read_place("[46.5, 8.8, 480]") == Place(46.5, 8.8, 480.0)
    assert places.read_place("  ") is None


@pytest.mark.parametrize("text", ["somewhere", "50.0", "50.0, 9.0, 1, 2", "95, 10", "10, 190"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InputError, match="latitude"):
        places.read_place(text)


@given(st.text(max_size=40))
def test_no_text_is_read_as_a_place_off_the_globe(text: str) -> None:
    """It is refused, or a place, or nothing."""
    try:
        found = places.read_place(text)
    except InputError:
        return
    assert found is None or (abs(found.latitude_deg) <= 90 and abs(found.longitude_deg) <= 180)


@given(st.floats(-90, 90), st.floats(-180, 180), st.none() | st.floats(-1e3, 1e5))
def test_a_form_that_nobody_edits_gives_back_what_it_showed(
    latitude: float, longitude: float, height: float | None
) -> None:
    place = Place(latitude, longitude, height)
    assert places.read_place(places.place_text(place)) == place


@given(st.floats(-79.9, 83.9), st.floats(-179.9, 179.9))
def test_every_notation_that_is_shown_is_read_back(latitude: float, longitude: float) -> None:
    """To a metre or two; a locator to half its square."""
    for name, text in places.notations(latitude, longitude).items():
        found = places.read_place(text)
        assert found is not None, name
        apart_m = geodesic_distance_m(latitude, longitude, found.latitude_deg, found.longitude_deg)
        assert apart_m < (600 if name == "Maidenhead" else 3), (name, text)


def test_a_known_place_has_its_known_names() -> None:
    """DCF77 at Mainflingen."""
    assert places.notations(50.0155, 9.0108) == {
        "degrees": "50.01550, 9.01080",
        "degrees and minutes": "50° 00.930′ N 9° 00.648′ E",
        "Maidenhead": "JO40ma13",
        "MGRS": "32UNA0077340354",
        "UTM": "32U 500774 5540354",
    }


def test_minutes_are_carried_and_poles_have_no_utm() -> None:
    assert places.notations(-0.9999999, 0.0)["degrees and minutes"].startswith("1° 00.000′ S")
    assert "UTM" not in places.notations(88.0, 10.0)


@pytest.mark.parametrize("text", ["JO40", "JO40MA", "32UNA", "32UNA05"])
def test_a_square_too_wide_to_be_a_known_place_is_refused(text: str) -> None:
    """It would pass for a place that is known to the metre."""
    with pytest.raises(InputError, match="km wide"):
        places.read_place(text)


def test_a_letter_that_may_mean_a_half_of_the_globe_is_asked_about() -> None:
    with pytest.raises(InputError, match="band"):
        places.read_place("33S 300000 6000000")
    assert places.read_place("33S 300000 4000000") is not None


def test_a_place_just_south_of_the_equator_has_a_grid_reference_that_is_read_back() -> None:
    """Its northing rounds to 10,000,000, which no square of that band has."""
    read = places.read_place(places.notations(-1e-9, 0.0)["MGRS"])
    assert read is not None
    assert (read.latitude_deg, read.longitude_deg) == pytest.approx((0.0, 0.0), abs=5e-5)
