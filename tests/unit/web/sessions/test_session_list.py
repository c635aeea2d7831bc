"""Sessions on the page: selected, taken away, pinned, deleted, and brought back by one click."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile

from heimdall.service.auth import Role
from heimdall.service.storage import retention, sessions
from heimdall.service.transmitters import listed
from heimdall.transmitter import KnownTransmitter


def names(site):
    with site.parts.store.reading() as session:
        return sorted(each.name for each in sessions.find(session))


def test_deleting_is_undone_by_one_click(site):
    site.put_session("Утро 77,5 kHz")

    async def look(visitor):
        await visitor.open("/")
        await visitor.sees("Утро 77,5 kHz")
        await visitor.press("Delete")
        await visitor.sees("Утро 77,5 kHz is in the bin")
        await visitor.sees("Bin: 1 session")
        assert names(site) == []
        await visitor.press("Undo")
        await visitor.sees_no("is in the bin")

    site.visit(look)
    assert names(site) == ["Утро 77,5 kHz"]


def test_the_bin_shows_what_is_in_it_and_gives_it_back(site):
    for name in ("one", "two"):
        session_id = site.put_session(name)
        with site.parts.store.writing() as session:
            retention.discard(session, session_id, "op")

    async def look(visitor):
        await visitor.open("/")
        await visitor.sees("Bin: 2 sessions")
        await visitor.press("Bin")
        await visitor.sees("by op · kept until")
        await visitor.press("Restore one")
        await visitor.sees("Bin: 1 session")
        await visitor.press("Empty the bin …")
        await visitor.press("Delete for good")
        await visitor.sees("The bin is empty")

    site.visit(look)
    assert names(site) == ["one"]
    with site.parts.store.reading() as session:
        assert retention.binned(session) == []


def test_those_selected_are_taken_away_as_one_archive(site):
    for name in ("Первая запись", "second"):
        site.put_session(name)

    async def look(visitor):
        await visitor.open("/")
        await visitor.sees("Первая запись")
        for name in ("Первая запись", "second"):
            await visitor.press(f"Select {name}")
        await visitor.sees("2 selected")
        await visitor.press("Download those selected")
        archive = zipfile.ZipFile(io.BytesIO((await visitor.taken()).content))
        assert {each.split("/")[0] for each in archive.namelist()} == {"Первая запись", "second"}

    site.visit(look)


def test_what_is_pinned_says_so_and_is_not_deleted(site):
    site.put_session("one")

    async def look(visitor):
        await visitor.open("/")
        await visitor.sees("one")
        await visitor.press("Pin")
        await visitor.sees("· pinned")
        await visitor.press("Delete")
        await visitor.sees("unpin it before you delete it")
        await visitor.press("Unpin")
        await visitor.sees_no("· pinned")

    site.visit(look)
    assert names(site) == ["one"]


def test_a_known_transmitter_is_picked_by_its_name(site):
    session_id = site.put_session("one")
    with site.parts.store.writing() as session:
        (frequency_hz, _) = sessions.get(session, session_id).summary["frequency_hz"]
        for name, offset_hz, latitude_deg in (("Mast", 0.0, 50.2), ("Other channel", 1e6, 51.2)):
            place = {"latitude_deg": latitude_deg, "longitude_deg": 8.5, "frequency_hz": frequency_hz + offset_hz}
            listed.add(session, KnownTransmitter(name=name, **place), "me")

    sessions.set_truth(site.parts.store, site.parts.settings, session_id, None)

    def truth():
        with site.parts.store.reading() as session:
            found = sessions.get(session, session_id).summary["truth"]
        return found and (found["latitude_deg"], found["longitude_deg"])

    async def picks(visitor):
        await visitor.open("/")
        await visitor.sees("one")
        await visitor.press("Known transmitter …")
        await visitor.sees("Mast")
        await visitor.sees_no("Other channel")
        await visitor.press("Mast")
        await visitor.press("Save")
        await visitor.sees("· transmitter known")

    async def types(visitor):
        await visitor.open("/")
        await visitor.sees("one")
        await visitor.press("Known transmitter …")
        await visitor.sees("Mast")
        await visitor.type("Latitude", "other CHANNEL")
        await visitor.press("Save")
        deadline_s = time.monotonic() + 10
        while truth() != (51.2, 8.5) and time.monotonic() < deadline_s:
            await asyncio.sleep(0.1)

    site.visit(picks)
    assert truth() == (50.2, 8.5)
    site.visit(types)
    assert truth() == (51.2, 8.5)


def test_a_viewer_takes_away_and_changes_nothing(site):
    site.put_session("one")

    async def look(visitor):
        await visitor.open("/")
        await visitor.sees("one")
        assert visitor.named("Download")
        assert not [name for name in ("Delete", "Pin", "Rename …") if visitor.named(name)]

    site.visit(look, Role.VIEWER)


def test_a_page_learns_of_what_others_store_and_finds_it_by_name(site):
    async def look(visitor):
        await visitor.open("/")
        await visitor.sees("No session yet")
        site.put_session("Утро")
        site.put_session("evening")
        await visitor.sees("Утро")
        await visitor.type("Search", "утро")
        await visitor.sees_no("evening")
        await visitor.type("Search", "no such name")
        await visitor.sees("None found")

    site.visit(look)
