"""Positions as people write them mean one place, and say how exactly, or mean nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdall.formats.coordinates import decoded, read_place, rounding_sigma_m
from heimdall.observation import Place

PLACE = (46.4993, 8.7988)


@pytest.mark.parametrize(
    ("text", "within_deg"),
    [
        ("d.HB9ODP = struct('coord', [46.4993,8.7988], 'host', 'x', 'port', 8073);", 1e-9),
        ("46.4993, 8.7988\n", 1e-9),
        ("46.4993 8.7988 1800", 1e-9),
        ("(46.4993/8.7988)", 1e-9),
        ("46,4993; 8,7988", 1e-9),
        ("geo:46.4993,8.7988", 1e-9),
        ("lon = 8.7988\nlat = 46.4993", 1e-9),
        ('{"latitude": 46.4993, "longitude": 8.7988}', 1e-9),
        ('{"type": "Point", "coordinates": [8.7988, 46.4993]}', 1e-9),
        ("46.4993N 8.7988E", 1e-9),
        ("Lat 46.4993° N, Lon 8.7988° E", 1e-9),
        ("46°29'57\"N 8°47'55\"E", 3e-4),
        ("46º 29′ 57.5″ N, 8º 47′ 55.7″ E", 1e-4),
        ("N 46° 29.958' E 8° 47.928'", 1e-6),
        ("N 46° 29' 57.48'' E 8° 47' 55.68''", 1e-6),
        ("46 29 57 N / 8 47 55 E", 3e-4),
        ("46:29:57N 8:47:55E", 3e-4),
        ("46-29-57N 008-47-55E", 3e-4),
        ("N46-29-57 E008-47-55", 3e-4),
        ("46-29.958N, 8-47.928E", 1e-6),
        ("<Point><coordinates>8.7988,46.4993,1800</coordinates></Point>", 1e-9),
        ("Lat/Lon: 46.4993, 8.7988", 1e-9),
        ("Latitude, Longitude: 46.4993, 8.7988", 1e-9),
        ("coordinates (lat, lon): 46.4993, 8.7988", 1e-9),
        ("GPS: 46.4993,8.7988", 1e-9),
        ("QTH 46.4993 8.7988", 1e-9),
        ("lat_deg: 46.4993, lon_deg: 8.7988", 1e-9),
        ("Lat.: 46.4993 Long.: 8.7988", 1e-9),
        ("JN46jm", 0.05),
        ("QTH locator: jn46jl59", 0.01),
    ],
)
def test_a_place_is_read_as_people_write_it(text: str, within_deg: float) -> None:
    found = read_place(text)
    assert found is not None
    assert (found.place.latitude_deg, found.place.longitude_deg) == pytest.approx(PLACE, abs=within_deg)


@pytest.mark.parametrize(
    "text",
    [
        *("", "unknown", "46.4993", "46°99'N 8°47'E", "46°29'N 8°47'O", "JN46jm or JN47jm", "8.8 E", "1 2 3 4"),
        *("46-61-24N 8-47-55E", "2026-10-12N 8-47-55E", "-46-29-57S 8-47-55E", "1-46-29-57N 8-47-55E"),
        *("GPS 3 46.4993, 8.7988", "position 46 8.7988", "lon/lat: 8.7988, 46.4993", "Lonlat 8.7988 46.4993"),
        "<coordinates>8.7988,46.4993,0 8.8,46.5,0</coordinates>",
    ],
)
def test_what_may_mean_anything_means_nothing(text: str) -> None:
    assert read_place(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "46 deg 29 min 57.66 sec N, 8 deg 47 min 55.78 sec E",
        "46,499351 N, 8,798828 E",
        "46.499351 North, 8.798828 East",
        "Latitude: 46,499351\nLongitude: 8,798828\n",
        "lat 46.499351 lon 8.798828 1200",
        "latitude 46.499351, longitude 8.798828, 1200 m",
        "# the attic\n46.499351, 8.798828",
        "46.499351, 8.798828 # the attic",
    ],
)
def test_words_commas_and_remarks_are_read(text: str) -> None:
    written = read_place(text)
    assert written is not None
    assert written.place.latitude_deg == pytest.approx(46.499351, abs=1e-5)
    assert written.place.longitude_deg == pytest.approx(8.798828, abs=1e-5)


@pytest.mark.parametrize("minus", ["\u2212", "\u2013", "-"])
def test_a_minus_of_any_keyboard_is_one(minus: str) -> None:
    for text in (f"{minus}33.87, 151.2", f"[{minus}33.87, 151.2]", f"lat: {minus}33.87 lon: 151.2"):
        written = read_place(text)
        assert written is not None
        assert written.place.latitude_deg == -33.87


@pytest.mark.parametrize("text", ["lat=46 29 57 lon=8 47 55", "lat: 46 deg 29 min, lon: 8 deg 47 min"])
def test_minutes_are_not_thrown_away(text: str) -> None:
    assert read_place(text) is None


def test_the_southern_and_the_western_half_are_negative() -> None:
    for text in ("33°52'S 70°30'W", "S 33 52, W 70 30", "Lat: 33.8666667 S, Lon: 70.5 W"):
        found = read_place(text)
        assert found is not None
        assert (found.place.latitude_deg, found.place.longitude_deg) == pytest.approx((-33.8667, -70.5), abs=1e-3)


@pytest.mark.parametrize(
    ("texts", "sigma_m"),
    [
        (("47", "9"), 32_135),
        (("47.000000", "9.000000"), 32_135),
        (("46.5", "8.8"), 3_213),
        (("46.50", "8.80"), 3_213),
        (("46.5", "8.79"), 321),
        (("46.499351", "8.798828"), 0.032),
        (("50", "10"), 32_135),
        (("1e-05", "0"), 0.32),
    ],
)
def test_digits_say_how_exactly_a_place_is_given(texts: tuple[str, ...], sigma_m: float) -> None:
    """A step divided by the root of twelve, in metres; zeros at the end say nothing, and the finer number counts."""
    assert rounding_sigma_m(*texts) == pytest.approx(sigma_m, rel=0.01)


def test_a_rounded_place_lies_within_what_its_digits_say() -> None:
    """Uniformly scattered places, rounded: the scatter of the latitude is the stated standard deviation."""
    for decimals in (0, 1, 2):
        errors_m = [
            (round(degree, decimals) - degree) * 111_320 for degree in (40 + 0.0137 * index for index in range(997))
        ]
        scatter_m = math.sqrt(sum(error**2 for error in errors_m) / len(errors_m))
        assert rounding_sigma_m(f"{0.876543:.{decimals}f}") == pytest.approx(scatter_m, rel=0.1)


@pytest.mark.parametrize(
    ("text", "sigma_m"),
    [
        ("46°29'57\"N 8°47'55\"E", 8.9),
        ("46°29'N 8°47'E", 536),
        ("JN46jm", 1843),
        ("JN46", 44_000),
        ("[46.5, 8.8]", 3213),
    ],
)
def test_every_form_says_how_exactly_it_is_given(text: str, sigma_m: float) -> None:
    found = read_place(text)
    assert found is not None
    assert found.sigma_m == pytest.approx(sigma_m, rel=0.05)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_editors_encoding_is_read(encoding: str) -> None:
    found = read_place(decoded("46°29'57\"N 8°47'55\"E".encode(encoding)))
    assert found is not None
    assert found.place.latitude_deg == pytest.approx(46.4992, abs=1e-4)


@settings(max_examples=200)
@given(text=st.text(alphabet="0123456789.,-+°'\"NSEWjn[]() :latonge\n", max_size=40))
def test_any_text_is_a_place_with_finite_numbers_or_nothing(text: str) -> None:
    found = read_place(text)
    if found is not None:
        assert math.isfinite(found.place.latitude_deg + found.place.longitude_deg + found.sigma_m)


@pytest.mark.parametrize(
    ("text", "latitude_deg", "longitude_deg", "sigma_m"),
    [
        ("51.30.02N 003.36.02E", 51 + 30 / 60 + 2 / 3600, 3 + 36 / 60 + 2 / 3600, 9),
        ("46.29.57,5N/8.47.55,5E", 46 + 29 / 60 + 57.5 / 3600, 8 + 47 / 60 + 55.5 / 3600, 0.9),
        ("N47.30.00 W122.18.00", 47.5, -122.3, 9),
        ("lat 46.29.57S lon 8.47.55W", -(46 + 29 / 60 + 57 / 3600), -(8 + 47 / 60 + 55 / 3600), 9),
        ("0117.50S 10351.20E", -(1 + 17.5 / 60), 103 + 51.2 / 60, 54),
        ("4629.96N/00847.93E", 46 + 29.96 / 60, 8 + 47.93 / 60, 5.4),
        ("N4629.96 E00847.93", 46 + 29.96 / 60, 8 + 47.93 / 60, 5.4),
        ("$GPGGA,123519,4629.96,N,00847.93,E,1,08,0.9,545.4,M,46.9,M,,", 46 + 29.96 / 60, 8 + 47.93 / 60, 5.4),
        ("$GPGLL,4629.96,N,00847.93,E,123456,A", 46 + 29.96 / 60, 8 + 47.93 / 60, 5.4),
        ("0117N 10351E", 1 + 17 / 60, 103 + 51 / 60, 536),
        ("462957.5N0084755.5E", 46 + 29 / 60 + 57.5 / 3600, 8 + 47 / 60 + 55.5 / 3600, 0.9),
    ],
)
def test_degrees_without_signs_are_read_as_navigation_writes_them(text, latitude_deg, longitude_deg, sigma_m):
    found = read_place(text)
    assert found is not None
    assert found.place.latitude_deg == pytest.approx(latitude_deg, abs=1e-9)
    assert found.place.longitude_deg == pytest.approx(longitude_deg, abs=1e-9)
    assert found.sigma_m == pytest.approx(sigma_m, rel=0.05)


@pytest.mark.parametrize(
    ("text", "latitude_deg", "longitude_deg"),
    [
        ("48°08'15,5\" N 11°34'30,5\" E", 48 + 8 / 60 + 15.5 / 3600, 11 + 34 / 60 + 30.5 / 3600),
        ("48° 08,25' N, 11° 34,5' E", 48 + 8.25 / 60, 11 + 34.5 / 60),
        ("48.08.15,5 N 11.34.30,5 E", 48 + 8 / 60 + 15.5 / 3600, 11 + 34 / 60 + 30.5 / 3600),
        ("4808,25N 01134,5E", 48 + 8.25 / 60, 11 + 34.5 / 60),
        ("R1,46.5N,8.5E", 46.5, 8.5),
        ("S 33.51.30 E 151.12.40", -(33 + 51.5 / 60), 151 + 12 / 60 + 40 / 3600),
        ("N47d07m24.5s E7d39m15.5s", 47 + 7 / 60 + 24.5 / 3600, 7 + 39 / 60 + 15.5 / 3600),
        ("S 0d0m0,04s E 0d0m0,05s", -0.04 / 3600, 0.05 / 3600),
        ("515012N 0000730W", 51 + 50 / 60 + 12 / 3600, -7.5 / 60),
    ],
)
def test_a_decimal_comma_is_read_where_no_other_can_stand(text, latitude_deg, longitude_deg):
    found = read_place(text)
    assert found is not None
    assert found.place.latitude_deg == pytest.approx(latitude_deg, abs=1e-9)
    assert found.place.longitude_deg == pytest.approx(longitude_deg, abs=1e-9)


@pytest.mark.parametrize("text", ["46.29.57.12.4N 8.47.55E", "1234567N 12345678E", "4675N 00847E"])
def test_a_number_is_not_taken_apart_to_make_a_place(text):
    assert read_place(text) is None


@pytest.mark.parametrize(
    ("text", "latitude_deg", "longitude_deg"),
    [
        ("N 47,123456 E 7,654321", 47.123456, 7.654321),
        ("N 47,5° E 7,25°", 47.5, 7.25),
        ("S 33,865143, W 70,209900", -33.865143, -70.2099),
        ("N 47° 07,407 E 007° 39,259", 47 + 7.407 / 60, 7 + 39.259 / 60),
        ("N 47 07,407 E 007 39,259", 47 + 7.407 / 60, 7 + 39.259 / 60),
        ("N47°07'24,44 E7°39'15,56", 47 + 7 / 60 + 24.44 / 3600, 7 + 39 / 60 + 15.56 / 3600),
        ("47°07'24,44\"N 7°39'15,56\"E", 47 + 7 / 60 + 24.44 / 3600, 7 + 39 / 60 + 15.56 / 3600),
    ],
)
def test_a_decimal_comma_behind_a_letter_or_a_sign_keeps_its_digits(text, latitude_deg, longitude_deg):
    """Without its digits the longitude would be 7, 50 km away."""
    found = read_place(text)
    assert found is not None
    assert found.place.latitude_deg == pytest.approx(latitude_deg, abs=1e-9)
    assert found.place.longitude_deg == pytest.approx(longitude_deg, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "N 47 E 7,65,43",
        "N 47 07 E 7 39 1555",
        "47:07,407:N 7:39,259:E",
        "47,1: N\n7,6: E",
        "7,6543: E 47,1234: N 1432 m",
        "30,2d S, 124,6d E",
        "N47°07' E7°39'15,56,78",
        "N 47.1234 E 7.6543 25 m",
        "47.5° 30' N, 7.5° 15' E",
        "lat 47.123.456 lon 7.654.321",
        "lat 47,123,456 lon 7,654,321",
    ],
)
def test_a_part_of_a_number_is_no_place(text: str) -> None:
    """Digits that are left over belong to the position as well: what they mean is not known."""
    assert read_place(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "[30, 40] pixels wide\n[47.123456, 7.654321]",
        "d.one = struct('coord', [51.2,4.4]);\nd.two = struct('coord', [47.1,7.6]);",
        '{"coordinates": [7.65, 47.12]}, {"coordinates": [4.4, 51.2]}',
        "lat=47.1 lon=7.6\nlat=51.2 lon=4.4",
        "east = [47, 8]\nwest = [47.123456, 7.654321]",
        "lat=47.1 lon=7.6\nlat=51.2",
        "47.123456, 7.654321 # the mast is at [30, 40]",
        "47.123456, 7.654321\n[30, 40] pixels",
        "47.1N 7.6E\n51.2N 4.4E",
        "Mast 3 N 47.1 E 7.6",
        "[47.123456, 7.654321] JO21ef",
        "47.1N 7.6E, not 47°99'N 7°36'E",
    ],
)
def test_several_places_are_none(text: str) -> None:
    """Nobody can tell which one is meant."""
    assert read_place(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "JN37tc 47.123456 7.654321",
        "47.123456, 7.654321 (JN37tc)",
        "[47.123456, 7.654321] near JN37TD",
        "47.12N 7.65E, to be exact [47.123456, 7.654321]",
        "47°07'24\"N 7°39'15\"E\nlat=47.123456\nlon=7.654321",
        "[47.123456, 7.654321], kiwi RX12",
    ],
)
def test_of_places_that_agree_the_finest_counts(text: str) -> None:
    """A position in bare numbers counts, not the locator beside it, which is kilometres wide."""
    found = read_place(text)
    assert found is not None
    assert (found.place.latitude_deg, found.place.longitude_deg) == (47.123456, 7.654321)
    assert found.sigma_m < 0.1


@pytest.mark.parametrize(
    "text",
    [
        "7.654321E 47.123456N",
        "E 7,654321 N 47,123456",
        "POINT (7.654321 47.123456)",
        "SRID=4326;POINT Z(7.654321 47.123456 432)",
        "https://www.google.com/maps/@47.123456,7.654321,15z",
        "https://www.google.com/maps?q=47.123456,7.654321&z=12",
        "https://maps.google.com/maps?q=loc:47.123456%2C7.654321",
        "see https://www.google.com/maps/place/Hut/@47.2,7.7,12z/data=!4m6!3m5!1s0x47e8:0x1e!8m2!3d47.123456!4d7.654321!16s",
        "https://www.openstreetmap.org/#map=15/47.123456/7.654321",
        "https://www.openstreetmap.org/?mlat=47.123456&mlon=7.654321#map=12/47.2/7.7",
        "lat,lon\n47.123456,7.654321\n",
        "Station;Longitude (deg);Latitude (deg)\nhut;7,654321;47,123456\n",
        "lon lat\n7.654321 47.123456",
        '["47.123456", "7.654321"]',
        '"gps":"(47.123456, 7.654321)","grid":"JN37tc"',
        "lat,lon\n47.123456N,7.654321E",
    ],
)
def test_what_other_programs_write_is_read(text: str) -> None:
    found = read_place(text)
    assert found is not None
    assert (found.place.latitude_deg, found.place.longitude_deg) == (47.123456, 7.654321)


@pytest.mark.parametrize(
    "text",
    [
        "lat,lon\n47,12,7,65",
        "lat,lon\n47.12,7.65\n48.2,16.4",
        "lat,lon\n47.12,7.65\n48,2,16,4",
        "aerials at (1.5, 2.5) and (3.5, 2.5)",
        "7.65E 47.12N 8.20E 46.90N",
        "https://www.google.com/maps/@47.12,7.65,15z https://www.google.com/maps/@48.2,16.4,15z",
        "['47,1234', '107,6543']",
        "https://www.google.com/maps?q=47,12,7,65",
        "https://www.google.com/maps/@47,12,7,65,15z",
        "https://www.google.com/maps/dir/47.12,7.65/48.2,16.4",
        "http://203.0.113.5:8073/?f=4996.00,7.5cw",
        "the hut on the map",
    ],
)
def test_what_other_programs_write_of_anything_else_is_no_place(text: str) -> None:
    assert read_place(text) is None


def test_a_long_log_of_places_is_read_in_its_length() -> None:
    """Compared each with each, 20 000 would take minutes."""
    assert read_place("\n".join(f"[{40 + index / 1000}, {index / 500}]" for index in range(20_000))) is None
    assert read_place("x" * 200_000) is None


@pytest.mark.parametrize("blank", [" ", "\n", "\t", "\t "])
def test_long_runs_of_blanks_are_read_at_once(blank: str) -> None:
    """Backtracking over a thousand blanks would take seconds, and eight times as long over two thousand."""
    assert read_place(f"N 4{blank * 3000}") is None
    assert read_place(f"47.1N {blank * 3000} 7.6E") is not None


@pytest.mark.parametrize(
    "text",
    [
        "lat: 47.123456 lon: 7.654321 alt: 432 m",
        "latitude 47.123456, longitude 7.654321, 432 m",
        "47.123456N 7.654321E 432 m",
        "N 47.123456 E 7.654321, 432 m",
        "[47.123456, 7.654321]\nelevation = 432 metres",
        '{"latitude": 47.123456, "longitude": 7.654321, "altitude_m": 432}',
        "name,lat,lon,height_m\nhut,47.123456,7.654321,432",
        "[47.123456, 7.654321, 432], altitude 1417 ft",
        "latitud 47.123456, longitud 7.654321, altitud 432 m",
        '<wpt lat="47.123456" lon="7.654321"><ele>432.0</ele></wpt>',
    ],
)
def test_a_height_in_metres_beside_a_position_is_its_height(text: str) -> None:
    """Whatever form the position has."""
    found = read_place(text)
    assert found is not None
    assert (found.place, found.remark) == (Place(47.123456, 7.654321, 432.0), None)


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ('{"lat": 47.123456, "lon": 7.654321, "altitude": 432}', "altitude 432"),
        ("[47.123456, 7.654321] alt: 1417 ft", "alt 1417 ft"),
        ("[47.123456, 7.654321], antenna height 12 m", "height 12 m"),
        ("47.123456 N 7.654321 E, Höhe 432 m", "Höhe 432 m"),
        ("Breite 47.123456, Länge 7.654321, Höhe: 432", "Höhe 432"),
        ("name,lat,lon,alt\nhut,47.123456,7.654321,432", "alt 432"),
        ("name;lat;lon;Höhe über Grund\nhut;47,123456;7,654321;12", "Höhe über Grund 12"),
        ("47.123456N 7.654321E 1417", "1417"),
        ("lat 47.123456 lon 7.654321 1417", "1417"),
        ("[47.123456, 7.654321] alt 400 m, elev. 432 m", "alt 400 m and elev. 432 m"),
    ],
)
def test_a_height_that_may_count_otherwise_is_not_used_and_said(text: str, remark: str) -> None:
    """In feet, or from the ground, or one of two."""
    found = read_place(text)
    assert found is not None
    assert (found.place, found.remark) == (Place(47.123456, 7.654321), remark)


@pytest.mark.parametrize("text", ["[47.123456, 7.654321]", "$GPGLL,4707.40,N,00739.26,E,123456,A"])
def test_other_numbers_are_no_heights(text: str) -> None:
    found = read_place(text)
    assert found is not None
    assert (found.place.height_m, found.remark) == (None, None)


_SIGNS = [
    ("°", "'", '"'),
    (" ", " ", ""),
    ("°", "′", "″"),
    (":", ":", ""),
    ("°", "'", ""),
    ("° ", "' ", '"'),
    ("d", "m", "s"),
]


def _angle_text(degrees: float, parts: int, decimals: int, signs: tuple[str, ...], point: str) -> str:
    """In degrees, with minutes, or with minutes and seconds, the last of them with decimals."""
    values, rest = [], abs(degrees)
    for _ in range(parts - 1):
        values.append(f"{int(rest)}")
        rest = (rest - int(rest)) * 60
    values.append(f"{rest:.{decimals}f}".replace(".", point))
    return "".join(value + sign for value, sign in zip(values, signs, strict=False))


@settings(max_examples=500)
@given(
    latitude_deg=st.floats(-80, 80),
    longitude_deg=st.floats(-179, 179),
    parts=st.integers(1, 3),
    decimals=st.integers(0, 5),
    signs=st.sampled_from(_SIGNS),
    point=st.sampled_from(".,"),
    between=st.sampled_from([" ", ", ", "/", "; ", "\n", ","]),
    blank=st.sampled_from(["", " "]),
    letters_first=st.booleans(),
    longitude_first=st.booleans(),
    around=st.sampled_from([("", ""), ("QTH: ", "\n"), ("my ", " 1200 m"), ("", ", 1200 m"), ("", " 1200")]),
)
def test_degrees_in_any_notation_are_read_as_written_or_not_at_all(
    latitude_deg, longitude_deg, parts, decimals, signs, point, between, blank, letters_first, longitude_first, around
):
    """A comma, a blank or a height beside them never makes another place of it."""
    written = []
    for degrees, letter in ((latitude_deg, "NS"[latitude_deg < 0]), (longitude_deg, "EW"[longitude_deg < 0])):
        angle = _angle_text(degrees, parts, decimals, signs, point)
        written.append(f"{letter}{blank}{angle}" if letters_first else f"{angle}{blank}{letter}")
    found = read_place(around[0] + between.join(written[::-1] if longitude_first else written) + around[1])
    if found is not None:
        step_deg = 10.0**-decimals / 60 ** (parts - 1)
        assert found.place.latitude_deg == pytest.approx(latitude_deg, abs=1.01 * step_deg)
        assert found.place.longitude_deg == pytest.approx(longitude_deg, abs=1.01 * step_deg)
        assert found.place.height_m in (None, 1200.0)


@pytest.mark.parametrize(
    "text",
    [
        "Latitude: 33.8688 (South)\nLongitude: 70.2093 (West)",
        "lat=33.8688,S,lon=70.2093,W",
        "lat_ref: S\nlat: 33.8688\nlon_ref: W\nlon: 70.2093",
        "lat: 33.8688\nlon: 70.2093\nhemisphere: N,W",
        "[33.8688, 70.2093] (southern hemisphere)",
        "lat;ns;lon;ew\n33.8688;S;70.2093;E",
    ],
)
def test_a_hemisphere_that_the_numbers_do_not_have_makes_no_place(text: str) -> None:
    """A sign that is lost would be a place on the other side of the earth."""
    assert read_place(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "lat: -33.8688 (South)\nlon: -70.2093 (West)",
        "[-33.8688, -70.2093] (southern hemisphere)",
        "S 33.8688 W 70.2093",
        "name: West\nlat: -33.8688\nlon: -70.2093",
        "[-33.8688, -70.2093] 100 W",
        "lat: -33.8688\nlon: -70.2093\nlat_ref: S\nlon_ref: W",
    ],
)
def test_a_hemisphere_that_the_numbers_have_is_no_contradiction(text: str) -> None:
    written = read_place(text)
    assert written is not None
    assert (written.place.latitude_deg, written.place.longitude_deg) == (-33.8688, -70.2093)


@pytest.mark.parametrize(
    "text", ["[46.4993, 8.7988] 100 W", "46.4993, 8.7988 # West tower", "[46.4993, 8.7988]\nantenna: S"]
)
def test_letters_that_are_no_hemisphere_are_none(text: str) -> None:
    assert read_place(text) is not None


@pytest.mark.parametrize("text", ["lat: 4.71e1\nlon: 8.2", "lat: 47.1, lon: 82e-1"])
def test_an_exponent_is_not_cut_off(text: str) -> None:
    assert read_place(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "lon/lat: [7.654321, 47.123456]",
        "# longitude, latitude\n[7.654321, 47.123456]",
        "(lon, lat) = (7.654321, 47.123456)",
        '{"lonlat": [7.654321, 47.123456]}',
        "[7.654321, 47.123456] (GeoJSON)",
        "Länge/Breite: [7.654321, 47.123456]",
        "7.654321 47.123456 # lon lat",
        "longitud y latitud\n7°39'15.6\", 47°07'24.4\"",
    ],
)
def test_an_order_that_the_text_contradicts_makes_no_place(text: str) -> None:
    """Read as latitude first, the place would be in another country."""
    assert read_place(text) is None


@pytest.mark.parametrize("unit", ["rad", "radians", "gon", "m", "km", "ft"])
def test_a_unit_that_is_no_degree_makes_no_place(unit: str) -> None:
    assert read_place(f"Latitude: 0.822459 {unit}, Longitude: 0.133593 {unit}") is None


@pytest.mark.parametrize(
    "text",
    [
        "Breite: -33.868820\nLänge: -70.209300",
        "Breitengrad -33,868820; Längengrad -70,209300",
        "33,868820° südlicher Breite, 70,209300° westlicher Länge",
        "33.868820° Süd, 70.209300° West",
        "33.868820° Sud, 70.209300° Ouest",
        "33.868820° de latitud Sur, 70.209300° de longitud Oeste",
        "latitud: -33.868820, longitud: -70.209300",
        "latitudine -33.868820 longitudine -70.209300",
        "breedtegraad: -33.868820\nlengtegraad: -70.209300",
        "Ort;Breite;Länge\nhut;-33,868820;-70,209300",
        "Lat -33.868820° Lon -70.209300°",
        "latitude -33.868820 degrees, longitude -70.209300 degrees",
        "lon (deg): -70.209300, lat (deg): -33.868820",
        "rx_lat: -33.868820\nrx_lon: -70.209300",
        "-33.868820, -70.209300 (WGS84)",
        "-33,868820 / -70,209300",
        "# name lat lon\nhut -33.868820 -70.209300",
        "Export of 2025-01-01\n\nname,lat,lon\nhut,-33.868820,-70.209300",
        '"Name","Lat [deg]","Lon [deg]"\n"hut, north","-33,868820","-70,209300"',
    ],
)
def test_words_of_other_languages_and_programs_are_read(text: str) -> None:
    found = read_place(text)
    assert found is not None
    assert (found.place.latitude_deg, found.place.longitude_deg) == (-33.86882, -70.2093)


@pytest.mark.parametrize(
    "text",
    [
        "-33°52'07.8\", -70°12'33.5\"",
        "lat: -33°52'07.8\"\nlon: -70°12'33.5\"",
        "Länge: -70° 12′ 33,5″, Breite: -33° 52′ 07,8″",
        "Latitude -33° 52.13' Longitude -70° 12.558'",
    ],
)
def test_a_sign_stands_for_the_hemisphere_of_degrees_and_minutes(text: str) -> None:
    found = read_place(text)
    assert found is not None
    assert (found.place.latitude_deg, found.place.longitude_deg) == pytest.approx((-33.86883, -70.2093), abs=2e-5)
    assert found.sigma_m < 10


@pytest.mark.parametrize("text", ["47°7'24\" N, 7°39'15\"", "E 7°39'15\", 47°7'24\"", "Est 47.1, Ost 7.6"])
def test_one_hemisphere_of_two_makes_no_place(text: str) -> None:
    assert read_place(text) is None
