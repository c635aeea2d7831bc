"""Debian's Chromium, looking at a service with nothing configured but its home."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install 'heimdall[dev]'")

SHOTS = Path(__file__).parents[3] / "out" / "screenshots"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
_PATIENCE_MS = 180_000
DRAWN = '.fix-map[data-drawn*="estimate"]'
STILL = """() => document.getAnimations().every(each =>
    each.playState !== "running" || each.effect?.getComputedTiming().endTime === Infinity)"""
PAGES = ("/", "/record", "/training", "/models", "/receivers", "/transmitters", "/system")


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """A browser; closed after each module, because Playwright keeps an event loop running that other tests would meet."""
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, served) -> Iterator[Callable[..., object]]:
    """A page that is signed in, and complains of anything that its console, or a host other than ours, was asked."""
    contexts, troubles = [], []

    def note(kind: str, text: str) -> None:
        troubles.append(f"{kind}: {text}")

    def make(viewport: dict[str, int] = DESKTOP, *, sign_in: bool = True, **options: object):
        context = chromium.new_context(viewport=viewport, accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.on("pageerror", lambda error: note("error", str(error)))
        page.on("console", lambda message: note("console", message.text) if message.type == "error" else None)
        page.on("request", lambda request: note("request", request.url) if _is_foreign(request.url, served) else None)
        if sign_in:
            page.goto(served.sign_in)
        return page

    yield make
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def shoot() -> Callable[..., None]:
    """Keep a picture of a page for people to look at."""

    def keep(page, name: str, *, whole: bool = True) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        settle(page)
        page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)

    return keep


@pytest.fixture
def dcf77(real_data: Path) -> list[str]:
    """The recordings and positions of three receivers of the time signal."""
    return [str(path) for path in sorted((real_data / "kiwisdr_dcf77").iterdir())]


@pytest.fixture
def measurements() -> bytes:
    """One transmission as four receivers timed it."""
    times_s = {"A": (50.2, 10.1, 0.0), "B": (49.8, 10.3, 30e-6), "C": (50.1, 9.6, 45e-6), "D": (49.9, 9.7, 25e-6)}
    rows = [
        {
            "receiver": name,
            "latitude_deg": lat,
            "longitude_deg": lon,
            "height_m": 0.0,
            "toa_s": toa,
            "clock_sigma_s": 1e-6,
        }
        for name, (lat, lon, toa) in times_s.items()
    ]
    return json.dumps({"id": "m", "frequency_hz": 150e6, "bandwidth_hz": 25e3, "measurements": rows}).encode()


@pytest.fixture
def measurements_file(measurements: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "m.jsonl"
    path.write_bytes(measurements)
    return path


def settle(page) -> None:
    """Wait until passing messages have gone and nothing fades in or out: colours in between are nobody's choice."""
    page.wait_for_selector(".q-notification.bg-positive", state="hidden")
    page.wait_for_function(STILL)


def upload(page, files: list[str]) -> None:
    page.set_input_files("input[type=file]", files)
    page.wait_for_selector(DRAWN)


def _is_foreign(url: str, served) -> bool:
    return not url.startswith((served.address, served.address.replace("http", "ws"), "data:", "blob:", "about:"))
