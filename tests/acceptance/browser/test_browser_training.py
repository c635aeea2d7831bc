"""In a real browser: train to a model with progress in sight, pause and cancel, and let models compete to be champion."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import geodesic_distance_m

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PRESS_MS = 300
"""How long a person holds a button down."""
SMALL = "steps=40 scenes.pool=128 scenes.passes=40 scenes.calibration=32 scenes.validation=32 validate_every=10"
ENDLESS = SMALL.replace("steps=40", "steps=100000")
TRAINED_S = 400.0


def start(page, changes: str) -> None:
    page.wait_for_selector(".plan dl")
    page.fill("input[aria-label^=Changes]", changes)
    page.click("role=button[name=Start]", delay=PRESS_MS)


def state_of(page) -> str:
    return page.get_attribute("[data-state]", "data-state")


def wait_for_state(page, *states: str) -> None:
    wanted = ", ".join(f'[data-state="{state}"]' for state in states)
    page.wait_for_selector(wanted, timeout=TRAINED_S * 1000)


@pytest.fixture
def training(open_page, served):
    page = open_page()
    page.goto(f"{served.address}/training")
    return page


def test_quick_is_trained_from_the_page_with_progress_seen_moving(training, shoot):
    page = training
    page.wait_for_selector(".plan >> text=device")
    shoot(page, "training-plan")
    start(page, SMALL)
    seen, deadline_s = [], time.monotonic() + TRAINED_S
    page.wait_for_selector("[data-state]")
    pictured = False
    while state_of(page) not in ("succeeded", "failed"):
        assert time.monotonic() < deadline_s
        percent = int(page.inner_text(".figures b >> nth=0").rstrip(" %"))
        if not seen or seen[-1] != percent:
            seen.append(percent)
        if not pictured and 40 <= percent < 100 and page.locator(".chart").count():
            shoot(page, "training")
            pictured = True
        page.wait_for_timeout(250)
    assert state_of(page) == "succeeded"
    assert seen == sorted(seen)
    assert len([percent for percent in seen if 0 < percent < 100]) >= 3
    page.wait_for_selector(".notice.warn >> text=CPU")
    page.click("role=button[name=Model]")
    page.wait_for_selector("main.models .facts >> text=quick")


def test_a_training_is_paused_resumed_and_cancelled(training):
    page = training
    start(page, ENDLESS)
    wait_for_state(page, "running")
    page.wait_for_selector(".figures b >> nth=0")
    page.click("role=button[name=Pause]")
    wait_for_state(page, "paused")
    page.click("role=button[name=Resume]")
    wait_for_state(page, "running")
    page.click("role=button[name=Cancel]")
    page.click("role=button[name='Cancel it']")
    wait_for_state(page, "cancelled")
    page.click("role=button[name=Delete]")
    page.click("role=button[name='Delete it']")
    page.wait_for_selector('[data-state="cancelled"]', state="hidden")


def test_a_wrong_change_is_said_before_the_click_and_after(training):
    page = training
    page.wait_for_selector(".plan dl")
    page.fill("input[aria-label^=Changes]", "stpes=5")
    page.keyboard.press("Tab")
    page.wait_for_selector(".plan .warn-text >> text=stpes")


def test_models_compete_and_a_broken_one_is_refused_with_the_reason(open_page, served, shoot, make_bundle, tmp_path):
    page = open_page()
    page.goto(f"{served.address}/models")
    broken = tmp_path / "broken.heimdall"
    content = bytearray(make_bundle().read_bytes())
    content[content.index(b"log_background")] ^= 1  # a name inside the network
    broken.write_bytes(content)
    page.set_input_files("input[type=file]", str(broken))
    page.wait_for_selector(".complaint >> text=broken.heimdall")
    shoot(page, "models-broken", whole=False)
    page.click(".complaint button")

    import_and_promote(page, make_bundle(name="first"))
    page.wait_for_selector("[role=status]")
    page.wait_for_selector(".panel .chip.good >> text=champion", timeout=TRAINED_S * 1000)
    import_and_promote(page, make_bundle(name="second"))
    page.wait_for_selector(".complaint >> text=not better than the champion", timeout=TRAINED_S * 1000)
    assert "median error" in page.inner_text(".complaint")
    page.click(".complaint button")
    page.click(".medium.q-field")
    page.click(".q-menu >> text=first")
    page.wait_for_selector("text=likelihood, median in m")
    shoot(page, "models")
    assert page.locator(".list .chip").count() == 1


def import_and_promote(page, path) -> None:
    page.set_input_files("input[type=file]", str(path))
    page.wait_for_selector(f"h2 >> text={path.name}")
    page.click("role=button[name=Promote]")


def test_receivers_are_registered_and_calibrated(open_page, served, shoot):
    store_known_session(served)
    page = open_page()
    page.goto(f"{served.address}/receivers")
    page.wait_for_selector("text=No receiver registered")
    page.click("role=button[name='Add a receiver']")
    page.fill(".ask input[aria-label^=Name]", "mast")
    page.fill(".ask input[aria-label^=Latitude]", "46.4993, 8.7988, 480")
    page.click("role=button[name=Save]")
    page.wait_for_selector(".station >> text=mast")
    page.click(".q-select:has-text('Sessions')")
    page.click(".q-menu >> text=known")
    page.keyboard.press("Escape")
    page.click("role=button[name='Find and keep']")
    page.wait_for_selector("h2 >> text=Calibration")
    page.wait_for_selector(".station .chip >> text=corrected")
    assert page.locator(".station").count() == 5
    shoot(page, "receivers")


def store_known_session(served) -> None:
    """Four receivers, one of which stamps 3 us late; the transmitter is known."""
    receivers = {"north": (50.2, 10.1), "south": (49.8, 10.3), "west": (50.1, 9.6), "corner": (49.9, 9.7)}
    truth = (50.02, 10.05)
    rows = [
        {
            "receiver": name,
            "latitude_deg": place[0],
            "longitude_deg": place[1],
            "height_m": 0.0,
            "toa_s": geodesic_distance_m(*place, *truth) * 1.0003 / SPEED_OF_LIGHT_M_S + 3e-6 * (name == "west"),
            "clock_sigma_s": 5e-8,
        }
        for name, place in receivers.items()
    ]
    known = {"latitude_deg": truth[0], "longitude_deg": truth[1], "height_m": 0.0}
    row = {"id": "beacon", "frequency_hz": 150e6, "bandwidth_hz": 25e3, "measurements": rows, "truth": known}
    answer = httpx.post(
        f"{served.address}/api/v1/sessions",
        params={"name": "a known beacon"},
        headers={"Authorization": f"Bearer {served.token}"},
        files=[("files", ("beacon.jsonl", json.dumps(row).encode()))],
        timeout=TRAINED_S,
    )
    assert answer.status_code == 201


def test_the_system_is_examined(open_page, served, shoot):
    page = open_page()
    page.goto(f"{served.address}/system")
    page.wait_for_selector(".finding")
    page.wait_for_selector(".chip >> text=ready")
    shoot(page, "system")
