"""From addresses to a fix on the map by clicking alone, against receivers that are played on loopback."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from heimdall.geometry import geodesic_distance_m
from heimdall.rehearsal.pace import Pace
from heimdall.rehearsal.servers import Played, network
from heimdall.rehearsal.troubles import Trouble

from ...integration.capture.scene import TRANSMITTER, make_stage
from .conftest import DRAWN, PHONE
from .test_browser_access import findings

pytestmark = pytest.mark.browser
SETTINGS = {"HEIMDALL_CAPTURE_NETWORKS": "127.0.0.0/8", "HEIMDALL_RECEIVERS_EVERY_S": "0"}
_SPEED = 4.0


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[Played, ...]]:
    """Five KiwiSDRs, the second full, in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = network(make_stage(5, {"R02": Trouble.BUSY}), 5, Pace(_SPEED))

    def wait(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    try:
        yield wait(opened.__aenter__())
    finally:
        wait(opened.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def add(page, served, played) -> None:
    page.goto(f"{served.address}/receivers")
    for each in played:
        page.fill("[aria-label^='Address']", str(each.address))
        page.fill("[aria-label^='Name; empty']", each.site.name)
        page.click("role=button[name='Add'] >> nth=0")
        page.wait_for_selector(f"[data-receiver='{each.site.name}']")


def test_addresses_become_a_fix_on_the_map_in_under_a_minute(open_page, served, played, shoot):
    page = open_page()
    began_s = time.monotonic()
    add(page, served, played)
    page.wait_for_selector("text=4 of 5 receivers ready")
    page.wait_for_selector("text=All its 4 slots are taken.")
    page.goto(f"{served.address}/record")
    page.wait_for_selector("text=4 of 5 receivers chosen")
    page.fill("[aria-label^='Frequency']", "77.5k")
    page.fill("[aria-label^='Width']", "5k")
    page.fill("[aria-label='Seconds']", "20")
    page.click("role=button[name='Record']")
    page.wait_for_selector(DRAWN)
    took_s = time.monotonic() - began_s
    shoot(page, "record")
    print(f"from the first address to the fix: {took_s:.1f} s")
    assert took_s < 60
    page.click("role=button[name='Region']")
    shoot(page, "record-region", whole=False)
    place = page.get_attribute("[aria-label^='Copy degrees: ']", "aria-label").removeprefix("Copy degrees: ")
    latitude_deg, longitude_deg = map(float, place.split(", "))
    assert geodesic_distance_m(latitude_deg, longitude_deg, TRANSMITTER.latitude_deg, TRANSMITTER.longitude_deg) < 3000
    drawn = page.get_attribute(".fix-map", "data-drawn").split()
    assert {kind: drawn.count(kind) for kind in set(drawn)} == {"receiver": 4, "region": 2, "estimate": 1}
    page.click("role=button[name='Open on the page Map']")
    # The map of the page before is drawn, too.
    page.wait_for_url(lambda url: "/record" not in url)
    page.wait_for_selector(DRAWN)
    page.goto(f"{served.address}/?history=on")
    page.wait_for_selector('.fix-map[data-drawn="fix"]')
    page.wait_for_selector("text=1 fix,")
    shoot(page, "history")


def test_receivers_are_filtered_and_switched_off(open_page, served, played, shoot):
    page = open_page()
    page.goto(f"{served.address}/receivers")
    page.wait_for_selector("[data-receiver='R05']")
    shoot(page, "receivers")
    page.fill("[aria-label^='Near']", "50, 9")
    page.fill("[aria-label^='Within']", "300")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=hidden by the filter")
    kept = [each.site.name for each in played if _distance_m(each) <= 300e3]
    shown = page.locator("[data-receiver]").evaluate_all("found => found.map(each => each.dataset.receiver)")
    assert shown == kept
    page.click(f"[aria-label='{kept[0]} is used']")
    page.wait_for_selector(f"[data-receiver='{kept[0]}'] >> text=off")
    page.goto(f"{served.address}/record")
    page.wait_for_selector("text=3 of 5 receivers chosen")
    page.goto(f"{served.address}/receivers")
    page.click(f"[aria-label='{kept[0]} is used']")
    page.wait_for_selector("text=4 of 5 receivers ready")


def test_a_receiver_is_looked_at_and_others_are_picked_on_the_map(open_page, served, shoot):
    page = open_page()
    page.goto(f"{served.address}/record")
    page.wait_for_selector("text=4 of 5 receivers chosen")
    page.fill("[aria-label^='Frequency']", "77.5k")
    page.fill("[aria-label^='Width']", "5k")
    page.click("role=button[name='Look']")
    page.wait_for_function("Number(document.querySelector('.waterfall').dataset.rows) > 12")
    shoot(page, "record-spectrum")
    page.click("role=button[name='Stop']")
    page.wait_for_selector("role=button[name='Look']")
    if page.locator("role=button[name='Receivers']").is_visible():
        page.click("role=button[name='Receivers']")
    page.click(".mark-receiver.chosen >> nth=0")
    page.wait_for_selector("text=3 of 5 receivers chosen")


def test_what_cannot_be_recorded_or_added_is_said(open_page, served):
    page = open_page()
    page.goto(f"{served.address}/record")
    page.wait_for_selector("text=4 of 5 receivers chosen")
    page.click("role=button[name='Record']")
    page.wait_for_selector(".complaint >> text=Say at which frequency")
    page.goto(f"{served.address}/receivers")
    page.fill("[aria-label^='Address']", "kiwi://127.0.0.1:9")
    page.click("role=button[name='Add'] >> nth=0")
    page.wait_for_selector(".complaint >> text=nothing listens there")


def test_a_watch_is_cancelled(open_page, served):
    page = open_page()
    page.goto(f"{served.address}/record")
    page.wait_for_selector("text=4 of 5 receivers chosen")
    page.fill("[aria-label^='Frequency']", "77.5k")
    page.click("[aria-label='When']")
    page.click(".q-menu >> text=again and again")
    page.click("role=button[name='Record']")
    page.wait_for_selector("h2 >> text=watch 77.5 kHz")
    page.wait_for_selector("[data-state=running]")
    page.click("role=button[name='Cancel']")
    page.click("role=button[name='Cancel it']")
    page.wait_for_selector("[data-state=cancelled]")


def test_measuring_and_searching_on_the_map(open_page, served, shoot):
    page = open_page()
    page.goto(served.address)
    page.wait_for_selector(".list .row, .list .empty")  # from now on it hears what is typed
    for text, shown in (("JO40", "50.5"), ("50, 9", "50.00000, 9.00000"), ("32UNA0077340354", "50.01")):
        page.fill("[aria-label='Go to a place']", text)
        page.keyboard.press("Enter")
        page.wait_for_selector(f".measure-label >> text={shown}")
    page.fill("[aria-label='Go to a place']", "nowhere")
    page.keyboard.press("Enter")
    page.wait_for_selector(".complaint >> text=is not a place")
    page.click(".complaint button")
    page.get_by_text("Measure", exact=True).click()
    box = page.locator(".fix-map").bounding_box()
    for x in (0.4, 0.7):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + 0.6 * box["height"])
        page.wait_for_timeout(400)  # no double click
    page.wait_for_selector(r".measure-label >> text=/^[\d,.]+ k?m, bearing (89|90)\.\d°, back (269|270)\.\d°$/")
    assert page.locator(".map-hint").is_hidden()
    shoot(page, "map-measure")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_have_no_serious_fault_and_fit_a_phone(open_page, served, shoot, theme):
    page = open_page(color_scheme=theme)
    phone = open_page(PHONE, color_scheme=theme)
    found = []
    for path in ("/record", "/receivers", "/?history=on"):
        name = path.strip("/?").partition("=")[0]
        for each, suffix in ((page, theme), (phone, f"phone-{theme}")):
            each.goto(served.address + path)
            each.wait_for_selector("main")
            each.wait_for_timeout(2500)  # for what is filled in later
            shoot(each, f"{name}-{suffix}")
        found += findings(page)
        assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    assert found == []


def _distance_m(played: Played) -> float:
    place = played.site.place
    return geodesic_distance_m(50.0, 9.0, place.latitude_deg, place.longitude_deg)
