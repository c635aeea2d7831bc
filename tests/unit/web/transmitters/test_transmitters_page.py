"""Known transmitters on the page: found, added, edited, removed, imported; and nothing that nobody edits changes."""

from __future__ import annotations

import pytest
from nicegui.testing import UserInteraction

from heimdall.errors import InputError
from heimdall.formats.transmitters import from_bytes, shipped
from heimdall.service.auth import Role
from heimdall.service.transmitters import listed
from heimdall.service.transmitters.listed import Listed
from heimdall.transmitter import Kind, KnownTransmitter
from heimdall.web.transmitters.transmitter_form import frequency_input, read_transmitter
from heimdall.web.transmitters.transmitters_view import read_wanted, transmitter_html

MAST = KnownTransmitter(
    name="Mast", latitude_deg=50.2, longitude_deg=10.1, frequency_hz=98.3e6, kind=Kind.FM, source="its <licence>"
)


def put(site, *transmitters):
    with site.parts.store.writing() as session:
        listed.add_all(session, transmitters, "me")


def own(site):
    with site.parts.store.reading() as session:
        return [each.transmitter for each in listed.find(session) if not each.shipped]


def test_one_is_added_edited_and_removed(site):
    added = KnownTransmitter(name="Mast", latitude_deg=50.2, longitude_deg=10.1, frequency_hz=98.3e6)

    async def add(visitor):
        await visitor.open("/transmitters")
        await visitor.sees("DCF77")
        assert visitor.named("Edit") == []
        await visitor.press("Add a transmitter")
        await visitor.type("Name", " Mast ")
        await visitor.type("Frequency", "98.3M")
        await visitor.type("Latitude", "50.2, 10.1")
        await visitor.press("Save")
        await visitor.sees("98.3 MHz · other")
        assert own(site) == [added]

    async def edit(visitor):
        await visitor.open("/transmitters")
        await visitor.sees("98.3 MHz · other")
        await visitor.press("Edit")
        await visitor.type("How well", "600")
        await visitor.press("Save")
        await visitor.sees("50.20000, 10.10000 ± 600 m")
        assert own(site) == [added.model_copy(update={"position_sigma_m": 600.0})]

    async def remove(visitor):
        await visitor.open("/transmitters")
        await visitor.sees("98.3 MHz · other")
        await visitor.press("Remove")
        await visitor.sees("Remove Mast?")
        assert len(own(site)) == 1
        sure = next(each for each in visitor.named("Remove") if each.props.get("color") == "negative")
        UserInteraction(visitor.user, {sure}, "Remove").click()
        await visitor.sees_no("98.3 MHz")

    site.visit(add)
    site.visit(edit)
    site.visit(remove)
    assert own(site) == []


def test_what_is_wrong_is_said_and_nothing_is_added(site):
    async def look(visitor):
        await visitor.open("/transmitters")
        await visitor.press("Add a transmitter")
        await visitor.type("Frequency", "98.3M")
        await visitor.press("Save")
        await visitor.sees("A known transmitter needs a position")
        await visitor.type("Latitude", "50.2, 10.1")
        await visitor.press("Save")
        await visitor.sees("Name must not be empty")

    site.visit(look)
    assert own(site) == []


def test_the_list_is_searched_and_filtered_by_frequency(site):
    put(site, MAST)

    async def look(visitor):
        await visitor.open("/transmitters")
        await visitor.sees("DCF77")
        await visitor.type("From", "50M")
        await visitor.sees_no("DCF77")
        await visitor.sees("its &lt;licence&gt;")
        await visitor.type("From", "")
        await visitor.type("Search", "dcf")
        await visitor.sees_no("98.3 MHz")
        await visitor.sees("DCF77")
        await visitor.type("Search", "nothing is called so")
        await visitor.sees("The filter leaves no transmitter.")

    site.visit(look, Role.VIEWER)


def test_a_long_list_comes_in_pages(site):
    put(site, *(MAST.model_copy(update={"name": f"A{number:03}"}) for number in range(60)))

    async def look(visitor):
        await visitor.open("/transmitters")
        await visitor.sees("A000")
        await visitor.sees_no("DCF77")
        await visitor.press("Next page")
        await visitor.sees("DCF77")
        await visitor.sees_no("A000")

    site.visit(look)


def test_a_viewer_exports_and_changes_nothing(site):
    put(site, MAST)

    async def look(visitor):
        await visitor.open("/transmitters")
        await visitor.sees("98.3 MHz")
        for name in ("Add a transmitter", "Edit", "Remove"):
            assert visitor.named(name) == []
        await visitor.press("CSV")
        answer = await visitor.taken()
        assert set(from_bytes("a.csv", answer.content)) == {MAST, *shipped()}

    site.visit(look, Role.VIEWER)


def test_what_comes_with_heimdall_is_marked():
    assert "comes with Heimdall" in transmitter_html(Listed("0", MAST))
    assert "added by me, 1970-01-01 00:00 UTC" in transmitter_html(Listed("0", MAST, "me", 1.0))


@pytest.mark.parametrize("frequency_hz", [77_500.0, 98.3e6, 1e6 / 3, 0.1 + 0.2, 999_999_999.123])
def test_a_frequency_in_a_form_is_the_same_when_nobody_edits_it(frequency_hz):
    form = (MAST.name, frequency_input(frequency_hz), "fm", "50.2, 10.1", "30.0", "", MAST.source)
    assert read_transmitter(*form) == MAST.model_copy(update={"frequency_hz": frequency_hz})


def test_a_band_that_ends_below_its_begin_is_no_filter():
    with pytest.raises(InputError, match="2M is above 1M"):
        read_wanted("", "2M", "1M")
