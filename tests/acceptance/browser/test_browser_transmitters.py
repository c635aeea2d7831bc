"""Known transmitters by clicking: imported, found, edited, taken away, and picked as the truth of a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdall.formats.transmitters import from_bytes, shipped, to_text
from heimdall.transmitter import Kind, KnownTransmitter

from .conftest import upload

pytestmark = pytest.mark.browser

MASTS = [
    KnownTransmitter(
        name=name,
        latitude_deg=50.02,
        longitude_deg=10.05,
        height_m=420.0,
        frequency_hz=frequency_hz,
        kind=kind,
        source="licence of 2024, position from the survey of the county",
    )
    for name, frequency_hz, kind in (("Kreuzberg", 98.3e6, Kind.FM), ("Relay 7", 150e6, Kind.OTHER))
]


@pytest.fixture(params=["light", "dark"])
def theme(request):
    return request.param


def names(page) -> list[str]:
    return page.locator("[data-transmitter]").evaluate_all("found => found.map(each => each.dataset.transmitter)")


def import_masts(page, folder: Path) -> None:
    path = folder / "masts.csv"
    path.write_text(to_text("masts.csv", MASTS))
    page.set_input_files("input[type=file]", str(path))
    page.wait_for_selector("[data-transmitter='Relay 7']")


def test_a_list_is_imported_found_edited_and_taken_away(open_page, served, shoot, tmp_path, theme):
    page = open_page(color_scheme=theme)
    page.goto(f"{served.address}/transmitters")
    page.wait_for_selector("[data-transmitter='DCF77'] >> text=comes with Heimdall")
    import_masts(page, tmp_path)
    shoot(page, f"transmitters-{theme}")
    with page.expect_download() as taken:
        page.click("role=button[name='GeoJSON']")
    content = taken.value.path().read_bytes()
    assert set(from_bytes("a.geojson", content)) == {*MASTS, *shipped()}
    page.fill("[aria-label^='From']", "50M")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-transmitter='DCF77']", state="detached")
    assert names(page) == ["Kreuzberg", "Relay 7"]
    page.click("[data-transmitter='Kreuzberg'] >> role=button[name='Edit']")
    page.wait_for_selector(".ask")
    shoot(page, f"transmitters-edit-{theme}")
    page.fill(".ask input[aria-label^='How well']", "12")
    page.click("role=button[name='Save']")
    page.wait_for_selector("[data-transmitter='Kreuzberg'] >> text=± 12 m")
    page.click("[data-transmitter='Kreuzberg'] >> role=button[name='Remove']")
    page.click(".ask >> role=button[name='Remove']")
    page.wait_for_selector("[data-transmitter='Kreuzberg']", state="detached")


def test_a_fix_names_its_transmitter_which_is_then_its_truth(
    open_page, served, shoot, measurements_file, tmp_path, theme
):
    page = open_page(color_scheme=theme)
    page.goto(f"{served.address}/transmitters")
    page.wait_for_selector("[data-transmitter='DCF77']")
    import_masts(page, tmp_path)
    page.goto(served.address)
    upload(page, [str(measurements_file)])
    page.wait_for_selector("text=the known transmitter Relay 7 is in the 95 % region")
    shoot(page, f"map-near-{theme}")
    page.click(".row.current [aria-label=More]")
    page.click(".q-menu >> text=Known transmitter")
    page.wait_for_selector(".offers >> text=Relay 7")
    shoot(page, f"map-offers-{theme}")
    page.click(".offers >> text=Relay 7")
    page.click("role=button[name='Save']")
    page.wait_for_selector('.fix-map[data-drawn*="truth"]')
