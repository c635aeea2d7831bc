"""Sessions by clicking: taken away, deleted and brought back, without a finding of axe-core in both themes."""

from __future__ import annotations

import zipfile

import pytest

from .conftest import PHONE, upload
from .test_browser_access import MODAL, findings

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_sessions_are_taken_away_deleted_and_brought_back(open_page, measurements_file, shoot, theme):
    page = open_page(color_scheme=theme)
    upload(page, [str(measurements_file)])
    rename(page, f"Утро {theme}")
    with page.expect_download() as taken:
        menu(page, "Download")
    assert taken.value.suggested_filename == f"Утро {theme}.zip"
    assert zipfile.ZipFile(taken.value.path()).testzip() is None
    page.click(f"[aria-label='Select Утро {theme}']")
    page.wait_for_selector("text=1 selected")
    shoot(page, f"sessions-selected-{theme}")
    page.click("[aria-label='Delete those selected']")
    page.wait_for_selector("text=is in the bin")
    found = [*findings(page)]
    shoot(page, f"sessions-deleted-{theme}")
    page.click("role=button[name^='Bin: ']")
    page.wait_for_selector("text=kept until")
    found += findings(page, MODAL)
    shoot(page, f"sessions-bin-{theme}", whole=False)
    page.click("role=button[name=Close] >> nth=-1")
    page.click("role=button[name=Undo]")
    page.wait_for_selector(f".row.current >> text=Утро {theme}")
    assert found == []


def test_an_open_menu_and_the_focus_stay_while_somebody_else_changes_the_list(open_page, measurements_file):
    page, other = open_page(), open_page()
    upload(page, [str(measurements_file)])
    page.click(".row.current [aria-label=More]")
    page.wait_for_selector(".q-menu >> text=Rename")
    upload(other, [str(measurements_file)])
    rename(other, "of somebody else")
    page.wait_for_selector(".row:not(.current) >> text=of somebody else")
    assert page.is_visible(".q-menu >> text=Rename")
    page.keyboard.press("Escape")
    page.wait_for_selector(".q-menu", state="hidden")
    page.focus(".row.current .pick")
    rename(other, "another name")
    page.wait_for_selector(".row:not(.current) >> text=another name")
    assert page.evaluate("document.activeElement.closest('.row.current') !== null")


def test_a_long_name_does_not_push_the_menu_out_of_the_list(open_page, measurements_file):
    page = open_page()
    upload(page, [str(measurements_file)])
    rename(page, "a name that is a good deal longer than its list is wide, and then some")
    assert page.evaluate("(list => list.scrollWidth <= list.clientWidth)(document.querySelector('.list'))")


def rename(page, name: str) -> None:
    menu(page, "Rename")
    page.fill("input[aria-label=Name]", name)
    page.keyboard.press("Enter")
    page.wait_for_selector(f".row.current >> text={name}")


def menu(page, action: str) -> None:
    page.click(".row.current [aria-label=More]")
    page.click(f".q-menu >> text={action}")


def test_the_bin_and_the_selection_fit_a_phone(open_page, measurements_file, shoot):
    page = open_page(PHONE)
    upload(page, [str(measurements_file)])
    page.click("[aria-label^='Select '] >> nth=0")
    page.wait_for_selector("text=1 selected")
    page.locator(".marked").scroll_into_view_if_needed()
    shoot(page, "sessions-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.click("role=button[name^='Bin']")
    page.wait_for_selector("role=dialog >> text=Close")
    shoot(page, "sessions-bin-phone", whole=False)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
