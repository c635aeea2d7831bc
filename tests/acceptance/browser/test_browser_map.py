"""In a real browser with no network: sign in, upload recordings, see the estimate and its regions, take them away."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .conftest import DRAWN, PAGES, PHONE, upload

pytestmark = pytest.mark.browser


def test_a_stranger_is_asked_for_a_token_and_comes_back_to_the_page_asked_for(open_page, served, shoot):
    page = open_page(sign_in=False)
    page.goto(f"{served.address}/models?model=abc")
    assert urlsplit(page.url).path == "/sign-in"
    shoot(page, "sign-in")
    page.fill("#token", served.token)
    page.click("button[type=submit]")
    page.wait_for_selector("main.models")
    assert page.url == f"{served.address}/models?model=abc"
    page.click("[aria-label='Who is signed in']")
    page.wait_for_selector("text=role: admin")


@pytest.mark.real
def test_uploaded_recordings_show_an_estimate_and_regions_that_can_be_taken_away(open_page, dcf77, shoot, tmp_path):
    page = open_page()
    page.wait_for_selector("text=pick a session")
    shoot(page, "map-empty")
    upload(page, dcf77)
    shoot(page, "map")
    drawn = page.get_attribute(".fix-map", "data-drawn").split()
    assert {kind: drawn.count(kind) for kind in set(drawn)} == {"receiver": 3, "region": 2, "estimate": 1}
    assert page.locator(".fix-map path.region").count() >= 2
    assert page.locator(".details table tbody tr").count() == 3
    page.click("role=button[name=Region]")
    shoot(page, "map-region", whole=False)
    with page.expect_download() as taken:
        page.click("role=button[name=GeoJSON]")
    path = tmp_path / "fix.geojson"
    taken.value.save_as(path)
    features = json.loads(path.read_text())["features"]
    estimate = next(feature for feature in features if feature["properties"]["kind"] == "estimate")
    assert estimate["geometry"]["coordinates"][:2] == pytest.approx([9.0108, 50.0155], abs=0.08)


@pytest.mark.real
def test_a_known_transmitter_is_marked_and_the_address_leads_back(open_page, dcf77, shoot):
    page = open_page()
    upload(page, dcf77)
    page.click(".row.current [aria-label=More]")
    page.click(".q-menu >> text=Known transmitter")
    page.fill("input[aria-label^=Latitude]", "50.0155, 9.0108")
    page.keyboard.press("Enter")
    page.wait_for_selector('.fix-map[data-drawn*="truth"]')
    page.wait_for_selector("text=error to the bound")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector('.fix-map[data-drawn*="truth"]')
    page.click("role=button[name=Region]")
    page.mouse.move(5, 5)
    shoot(page, "map-known")
    page.click("[aria-label='Light or dark']")
    shoot(page, "map-dark")


def test_what_cannot_be_read_is_said_and_nothing_is_stored(open_page, tmp_path):
    page = open_page()
    page.wait_for_selector(".list .row, .list .empty")  # the list comes after the page
    stored = page.locator(".list .row").count()
    path = tmp_path / "broken.jsonl"
    path.write_text("{}\n")
    page.set_input_files("input[type=file]", str(path))
    page.wait_for_selector(".complaint >> text=broken.jsonl line 1")
    page.click(".complaint button")
    assert page.locator(".list .row").count() == stored


def test_a_session_is_picked_by_keyboard_alone(open_page, tmp_path, measurements):
    page = open_page()
    path = tmp_path / "m.jsonl"
    path.write_bytes(measurements)
    upload(page, [str(path)])
    page.goto(page.url.partition("?")[0])
    page.wait_for_selector(".list .pick")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('pick')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(DRAWN)
    assert page.evaluate("document.activeElement.tagName") != "BODY" or page.locator(".row.current").count() == 1


@pytest.mark.real
def test_every_page_fits_a_phone(open_page, dcf77, shoot):
    page = open_page(PHONE)
    upload(page, dcf77)
    shoot(page, "map-phone")
    for path in PAGES:
        page.goto(page.url.partition("/")[0] + "//" + urlsplit(page.url).netloc + path)
        page.wait_for_selector("main")
        page.wait_for_timeout(1500)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        if path != "/":
            shoot(page, f"{path[1:]}-phone")


def test_unknown_paths_of_the_api_answer_in_json(open_page, served):
    page = open_page()
    answer = page.request.get(f"{served.address}/api/v1/nothing")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_no_other_site_may_show_the_page_in_its_own(open_page, served):
    headers = open_page().request.get(served.address).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert headers["x-content-type-options"] == "nosniff"


def test_the_pictures_lie_where_git_does_not_look():
    """So that looking at them never becomes a commit."""
    ignored = (Path(__file__).parents[3] / ".gitignore").read_text().splitlines()
    assert "/out/" in ignored


@pytest.fixture
def several(measurements: bytes, tmp_path: Path) -> Path:
    """The same transmission three times."""
    row = json.loads(measurements)
    path = tmp_path / "several.jsonl"
    path.write_text("".join(json.dumps(row | {"id": f"77.{number} kHz"}) + "\n" for number in range(3)))
    return path


def test_all_fixes_of_a_session_are_on_one_map_and_back_goes_back(open_page, several):
    page = open_page()
    upload(page, [str(several)])
    one = page.url
    with page.expect_download() as taken:
        page.click("role=button[name=GeoJSON]")
    assert taken.value.suggested_filename == "77.0 kHz.geojson"
    page.click("role=button[name='All fixes']")
    page.wait_for_selector('.fix-map[data-drawn$="fix fix fix"]')
    with page.expect_download() as taken:
        page.click("role=button[name=GeoJSON]")
    kinds = [each["properties"]["kind"] for each in json.loads(Path(taken.value.path()).read_text())["features"]]
    assert kinds.count("estimate") == 3
    page.click(".fixes tbody tr >> nth=2")
    page.wait_for_selector("h2 >> text=77.2 kHz")
    page.go_back()
    page.wait_for_selector('.fix-map[data-drawn$="fix fix fix"]')
    page.go_back()
    page.wait_for_selector("h2 >> text=77.0 kHz")
    assert page.url == one


def test_the_world_lies_below_and_places_are_copied(open_page, measurements_file):
    """Land is not the colour of the sea, cities are named, and the evidence shows bands in the overview."""
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    upload(page, [str(measurements_file)])
    page.wait_for_selector(".fix-map .city span >> text=Schweinfurt")
    page.wait_for_selector(".legend >> text=estimate")
    inked = """() => { const canvas = document.querySelector("canvas.evidence");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const share = data.filter((value, at) => at % 4 === 3 && value > 20).length / (data.length / 4);
        return 0.01 < share && share < 0.9; }"""
    for view in ("All", "Region"):
        page.click(f"role=button[name={view}]")
        page.wait_for_timeout(500)  # for the move, else it may see the view before
        page.wait_for_function(inked)
    page.click("[aria-label^='Copy Maidenhead']")
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("J")
