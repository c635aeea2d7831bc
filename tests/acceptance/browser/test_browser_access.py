"""The pages can be used by keyboard and by screen reader, in both themes: axe-core finds nothing serious."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .conftest import PAGES, settle, upload

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install 'heimdall[dev]'")
pytestmark = pytest.mark.browser

GRAVE = ("serious", "critical")


MODAL = {"rules": {"color-contrast": {"enabled": False}}}
"""axe takes the veil behind a dialog for the ground of its letters; their colours are those of the pages."""


def findings(page, options: dict | None = None) -> Iterator[str]:
    settle(page)
    for each in axe.Axe().run(page, options=options).response["violations"]:
        if each["impact"] in GRAVE:
            yield f"{page.url}: {each['help']}: {each['nodes'][0]['html'][:200]}"


@pytest.fixture(params=["light", "dark"])
def filled(request, open_page, measurements_file):
    """A page in each theme, with a session located."""
    page = open_page(color_scheme=request.param)
    upload(page, [str(measurements_file)])
    return page


def test_no_page_has_a_serious_fault(filled, served):
    found = [*findings(filled)]
    for path in (*PAGES, "/sign-in"):
        filled.goto(served.address + path)
        filled.wait_for_selector("main")
        filled.wait_for_timeout(1500)  # for what is filled in later
        found += findings(filled)
        assert filled.locator("main:not([role])").count() == 1, path
        assert filled.locator("h1").count() == 1, path
    assert found == []


def test_no_dialog_or_complaint_has_a_serious_fault(filled, served, tmp_path):
    filled.click(".row.current [aria-label=More]")
    filled.wait_for_selector(".q-menu >> text=Known transmitter")
    found = [*findings(filled, MODAL)]
    filled.click(".q-menu >> text=Known transmitter")
    filled.wait_for_selector(".ask")
    found += findings(filled, MODAL)
    filled.keyboard.press("Escape")
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n")
    filled.set_input_files("input[type=file]", str(broken))
    filled.wait_for_selector(".complaint")
    found += findings(filled, MODAL)
    filled.goto(f"{served.address}/receivers")
    filled.click("role=button[name='Add a receiver']")
    filled.wait_for_selector(".ask")
    found += findings(filled, MODAL)
    assert found == []


def test_the_keyboard_skips_the_bar_and_sees_where_it_is(open_page):
    page = open_page()
    page.wait_for_selector("main h2")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    ring = """() => { const style = getComputedStyle(document.activeElement);
        return parseFloat(style.outlineWidth) >= 1 && style.outlineStyle !== "none" || /2px/.test(style.boxShadow)
            || document.activeElement.closest(".q-field") !== null; }"""
    for _ in range(10):
        assert page.evaluate(ring), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        page.keyboard.press("Tab")


def test_the_description_of_the_api_is_shown_and_tried_from_this_machine_alone(open_page, served):
    page = open_page(sign_in=False)
    page.goto(f"{served.address}/docs")
    page.wait_for_selector(".opblock-summary")
    assert page.locator(".opblock").count() > 40
    page.locator("#operations-health-health_alive .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.wait_for_selector('.live-responses-table:has-text("200")')
