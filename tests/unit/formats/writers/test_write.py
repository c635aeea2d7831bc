"""Fixes in files: each format says what the fix says, and nothing breaks it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from heimdall.errors import HeimdallError, InputError
from heimdall.fix import Fix, Near, Status
from heimdall.formats.maps.map_scene import EvidenceMap
from heimdall.formats.wording import near_text
from heimdall.formats.writers.cot import cot_pieces
from heimdall.formats.writers.geojson import geojson_pieces
from heimdall.formats.writers.kml import kml_pieces
from heimdall.formats.writers.page import html
from heimdall.formats.writers.write import SUFFIXES, check_output, write_fixes
from heimdall.geometry import LocalFrame
from heimdall.observation import Observation, Receiver, Reception

Located = tuple[Fix, Observation]
KML = {"k": "http://www.opengis.net/kml/2.2"}
NOW = datetime(2025, 1, 1, 13, 0, 0, tzinfo=UTC)


def _evidence(fix: Fix) -> list[EvidenceMap]:
    assert fix.latitude_deg is not None
    assert fix.longitude_deg is not None
    axis = np.linspace(-1, 1, 40)
    density = -50 * (axis[:, None] ** 2 + axis[None] ** 2)
    density[0, 0] = -np.inf
    return [EvidenceMap(LocalFrame(fix.latitude_deg, fix.longitude_deg), 9e4 * axis, 9e4 * axis, density)]


def _area(ring: list[list[float]]) -> float:
    x, y = np.array(ring).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def _features(text: str, kind: str) -> list[dict[str, Any]]:
    return [feature for feature in json.loads(text)["features"] if feature["properties"]["kind"] == kind]


def test_geojson_has_every_part_of_the_fix(located: Located) -> None:
    """Estimate, two regions, four receivers and the truth; longitude stands first."""
    fix, _ = located
    text = "".join(geojson_pieces([(fix, located[1])]))
    (estimate,) = _features(text, "estimate")
    assert estimate["geometry"]["coordinates"] == [fix.longitude_deg, fix.latitude_deg, fix.height_m]
    assert [feature["properties"]["probability"] for feature in _features(text, "region")] == [0.68, 0.95]
    (truth,) = _features(text, "truth")
    assert truth["geometry"]["coordinates"] == [8.2, 47.2]
    assert truth["properties"]["error_m"] == pytest.approx(1000, rel=0.01)
    receivers = _features(text, "receiver")
    assert [feature["properties"]["residual_m"] for feature in receivers] == [120.0, -40.0, None, None]
    assert receivers[3]["geometry"] is None


def test_a_known_transmitter_in_the_region_is_named(located: Located) -> None:
    near = Near("DCF77", 77_500.0, 1_136.0)
    fix, observation = replace(located[0], near=near), located[1]
    (estimate,) = _features("".join(geojson_pieces([(fix, observation)])), "estimate")
    assert estimate["properties"]["near"] == {"name": "DCF77", "frequency_hz": 77_500.0, "distance_m": 1_136.0}
    assert near_text(near) in html([(fix, observation, ())])


def test_geojson_rings_are_wound_as_the_rfc_asks(located: Located) -> None:
    """Outer rings run counterclockwise and holes clockwise, whichever way they came."""
    regions = _features("".join(geojson_pieces([(located[0], located[1])])), "region")
    for region in regions:
        for polygon in region["geometry"]["coordinates"]:
            assert _area(polygon[0]) > 0
            assert all(_area(hole) < 0 for hole in polygon[1:])


def test_kml_has_every_part_of_the_fix(located: Located) -> None:
    """Placemarks for what has a place, polygons with their holes, and text with its special characters."""
    root = ElementTree.fromstring("".join(kml_pieces([(located[0], located[1])])))
    names = [element.text for element in root.iterfind(".//k:Placemark/k:name", KML)]
    assert names == ["95 % region", "68 % region", "R0 <&>", "R1 <&>", "R2 <&>", "truth", "night & day"]
    assert len(root.findall(".//k:outerBoundaryIs", KML)) == 3
    assert len(root.findall(".//k:innerBoundaryIs", KML)) == 1
    styles = {f"#{style.get('id')}" for style in root.iterfind(".//k:Style", KML)}
    assert {element.text for element in root.iterfind(".//k:styleUrl", KML)} <= styles
    estimate = root.findall(".//k:Point/k:coordinates", KML)[-1].text
    assert estimate == f"{located[0].longitude_deg:.8f},{located[0].latitude_deg:.8f},420.0"


def test_a_cot_event_says_position_and_errors(located: Located) -> None:
    """One event: where, one sigma of the wider axis, an unknown vertical error, when, and the region."""
    event = ElementTree.fromstring("".join(cot_pieces([(located[0], located[1])], NOW)))
    point = event.find("point")
    assert point is not None
    assert (event.tag, event.get("version"), event.get("how")) == ("event", "2.0", "m-f")
    assert float(point.get("lat", "")) == pytest.approx(located[0].latitude_deg, abs=1e-7)
    assert (point.get("hae"), point.get("ce"), point.get("le")) == ("420.0", "1200.0", "0.0")
    assert event.get("start") == "2025-01-01T12:00:00.000Z"
    assert event.get("time") == "2025-01-01T13:00:00.000Z"
    assert event.get("stale") == "2025-01-01T14:00:00.000Z"
    assert len(event.findall("detail/shape/polyline")) == 2


def test_several_cot_events_share_a_root(located: Located, unlocated: Located) -> None:
    """A fix without a position is left out, the others are kept."""
    fixes, observations = zip(located, unlocated, located, strict=True)
    root = ElementTree.fromstring("".join(cot_pieces(zip(fixes, observations, strict=True), NOW)))
    assert (root.tag, len(root)) == ("events", 2)


def test_cot_without_any_position_is_an_error(unlocated: Located) -> None:
    """There is no event to write, and the error names another format."""
    with pytest.raises(HeimdallError, match=r"\.json"):
        "".join(cot_pieces([(unlocated[0], unlocated[1])]))


class _Seen(HTMLParser):
    """Tags left open, and every address that the page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _seen(page: str) -> _Seen:
    seen = _Seen()
    seen.feed(page)
    seen.close()
    return seen


def test_the_page_needs_no_network(located: Located) -> None:
    """Every reference is to the page itself or holds its data; all tags are closed."""
    seen = _seen(html([(*located, _evidence(located[0]))]))
    assert seen.open == []
    assert any(reference.startswith("data:image/png") for reference in seen.references)
    assert all(reference.startswith(("#", "data:")) for reference in seen.references)


def test_the_page_says_what_the_fix_says(located: Located) -> None:
    """Headline, figures, residuals, reasons and advice are there, with special characters kept as text."""
    text = _seen(html([(*located, ())])).text
    for expected in ("night & day: 1 km from the truth", "145.5 MHz", "2 of 4", "+120 m", "−40 m", "R0 <&>"):
        assert expected in text
    for expected in ("not used: its clock is off", "the region holds <most> of it", "18 km", "1 km, inside"):
        assert expected in text


def test_the_page_follows_the_readers_colours(located: Located) -> None:
    """The map has the page's own colours, not those of one theme."""
    page = html([(*located, _evidence(located[0]))])
    body = page[page.index("<body>") :]
    assert "var(--region)" in body
    assert "#d9480f" not in body


def test_ids_on_a_page_are_unique(located: Located) -> None:
    """Several maps on one page do not use each other's clip paths."""
    page = html([(*located, ())] * 2)
    clips = [part.partition('"')[0] for part in page.split('<clipPath id="')[1:]]
    assert len(clips) == len(set(clips)) > 0


def test_a_page_of_many_fixes_lists_them_all(located: Located, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are in the table, the first few are drawn, and the page says so."""
    monkeypatch.setattr("heimdall.formats.writers.page.MOST_DRAWN", 2)
    page = html((replace(located[0], id=f"fix {index}"), located[1], ()) for index in range(4))
    assert page.count("<section") == 2
    assert ">fix 3<" in page
    assert "first 2 of 4" in page


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_written_by_its_suffix(located: Located, tmp_path: Path, suffix: str) -> None:
    """The file is there and whole, and nothing else is left beside it."""
    path = tmp_path / f"fix{suffix.upper()}"
    write_fixes([located[0]], [located[1]], path, [_evidence(located[0])])
    assert path.stat().st_size > 500
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".geojson", ".kml", ".html", ".png", ".json"])
def test_a_fix_without_a_position_is_written(unlocated: Located, tmp_path: Path, suffix: str) -> None:
    """What cannot be located is still reported, with its reason."""
    path = tmp_path / f"none{suffix}"
    write_fixes([unlocated[0]], [unlocated[1]], path)
    if suffix != ".png":
        assert "too few" in path.read_text(encoding="utf-8")


def test_the_picture_shows_something(located: Located, tmp_path: Path) -> None:
    """The PNG has a map with the region's, the truth's and the evidence's colours in it."""
    write_fixes([located[0]], [located[1]], tmp_path / "a.png", [_evidence(located[0])])
    pixels = imread(tmp_path / "a.png")[..., :3].reshape(-1, 3)
    for color in ("d9480f", "087f5b", "2f6fb3", "1c2733"):
        wanted = np.array([int(color[index : index + 2], 16) for index in (0, 2, 4)]) / 255
        assert np.any(np.all(np.abs(pixels - wanted) < 0.02, axis=1)), color


def test_one_picture_does_not_hold_two_fixes(located: Located, tmp_path: Path) -> None:
    """The error names the format that does."""
    with pytest.raises(InputError, match=r"write \.html"):
        write_fixes([located[0]] * 2, [located[1]] * 2, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "reason"), [("a.gif", "must end in one of"), ("a", "must end in"), ("no/a.kml", "no folder")]
)
def test_a_bad_output_is_refused_before_the_work(tmp_path: Path, name: str, reason: str) -> None:
    """An unknown suffix and a missing folder are found without a fix."""
    with pytest.raises(InputError, match=reason):
        check_output(tmp_path / name)


@settings(max_examples=40, deadline=None)
@given(
    name=st.text(max_size=12), advice=st.text(max_size=30), latitude=st.floats(-90, 90), longitude=st.floats(-180, 180)
)
def test_no_name_and_no_place_breaks_a_text_format(name: str, advice: str, latitude: float, longitude: float) -> None:
    """Any text in names and advice, and any place, gives JSON, XML and HTML that parse."""
    observation = Observation(name, 1e6, 1e3, (Reception(Receiver(name, latitude, longitude), rssi_dbm=-80.0),) * 2)
    fix = Fix(name, Status.POWER_ONLY, advice, name, (), latitude, longitude)
    json.loads("".join(geojson_pieces([(fix, observation)])))
    ElementTree.fromstring("".join(kml_pieces([(fix, observation)])))
    ElementTree.fromstring("".join(cot_pieces([(fix, observation)], NOW)))
