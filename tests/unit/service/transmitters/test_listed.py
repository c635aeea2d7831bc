"""The installation's known transmitters: each name once, and what comes with Heimdall stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from heimdall.formats.transmitters import shipped
from heimdall.service.database.paging import Page
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.service.transmitters import listed
from heimdall.transmitter import Kind, KnownTransmitter

EVERY_DATABASE = True
MAST = KnownTransmitter(
    name="Großer Mast",
    latitude_deg=50.2,
    longitude_deg=10.1,
    height_m=310.0,
    frequency_hz=98.3e6,
    kind=Kind.FM,
    source="its licence",
)


@pytest.fixture
def add(store):
    def make(**values):
        with store.writing() as session:
            return listed.add(session, MAST.model_copy(update=values), "me")

    return make


@pytest.fixture
def known(store):
    def read():
        with store.reading() as session:
            return listed.known(session)

    return read


def test_what_was_added_comes_first_and_is_as_it_was_given(add, known):
    added = add()
    assert (added.created_by, added.shipped) == ("me", False)
    assert added.created_unix_s > 1e9
    assert known() == (MAST, *shipped())


def test_one_that_comes_with_heimdall_is_replaced_and_comes_back(add, known, store):
    added = add(name="dcf77", frequency_hz=77_500.0)
    assert [each.name for each in known() if each.name.casefold() == "dcf77"] == ["dcf77"]
    with store.reading() as session:
        assert [each.id for each in listed.find(session, 77_500.0, 77_500.0)] == [added.id]
    with store.writing() as session:
        listed.delete(session, added.id)
    assert known() == shipped()


def test_a_name_is_listed_once_in_whatever_case(add, store):
    add()
    with pytest.raises(ConflictError, match="GROSSER MAST is listed already"):
        add(name="GROSSER MAST")
    other = add(name="B")
    with pytest.raises(ConflictError, match="listed already"), store.writing() as session:
        listed.change(session, other.id, MAST)


def test_of_two_who_add_the_same_at_once_one_is_told_so(add, known):
    def attempt(_):
        try:
            add()
        except ConflictError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    assert len(known()) == 1 + len(shipped())


def test_a_change_keeps_who_added_it_and_may_write_the_name_otherwise(add, store):
    added = add()
    with store.writing() as session:
        changed = listed.change(session, added.id, MAST.model_copy(update={"name": "GROSSER MAST", "height_m": None}))
    assert (changed.id, changed.created_by) == (added.id, "me")
    assert changed.transmitter.name == "GROSSER MAST"
    assert changed.transmitter.height_m is None


def test_what_comes_with_heimdall_is_neither_changed_nor_deleted(store):
    with store.writing() as session:
        dcf77 = next(each for each in listed.find(session) if each.transmitter.name == "DCF77")
        assert listed.get(session, dcf77.id) == dcf77
        for act in (lambda: listed.delete(session, dcf77.id), lambda: listed.change(session, dcf77.id, MAST)):
            with pytest.raises(ConflictError, match="DCF77 comes with Heimdall"):
                act()
        with pytest.raises(UnknownError, match="no transmitter"):
            listed.delete(session, "0" * 16)


def test_import_adds_and_replaces_by_name(add, known, store):
    first = add(source="before")
    given = [MAST.model_copy(update={"name": "GROSSER mast", "source": "after"}), MAST.model_copy(update={"name": "B"})]
    with store.writing() as session:
        assert listed.add_all(session, given, "you") == 2
    assert {each.name: each.source for each in known()[:2]} == {"B": "its licence", "GROSSER mast": "after"}
    with store.reading() as session:
        assert listed.get(session, first.id).created_by == "me"


def test_import_leaves_out_what_comes_with_heimdall_unless_it_replaces_one_that_was_added(add, known, store):
    given = shipped()
    with store.writing() as session:
        assert listed.add_all(session, given, "me") == 0
    assert known() == given
    add(name="dcf77")
    with store.writing() as session:
        assert listed.add_all(session, given, "me") == 1
        (dcf77,) = (each for each in listed.find(session) if not each.shipped)
    assert dcf77.transmitter in given


def test_there_is_an_end_to_the_list(add, known, store, monkeypatch):
    monkeypatch.setattr(listed, "MOST", 2)
    add()
    given = [MAST.model_copy(update={"name": name}) for name in "BC"]
    with pytest.raises(ConflictError, match="2 transmitters may be added"), store.writing() as session:
        listed.add_all(session, given, "me")
    assert known() == (MAST, *shipped())
    add(name="B")
    with pytest.raises(ConflictError, match="no more"):
        add(name="C")


def test_pages_follow_each_other_by_name(add, store):
    add()
    with store.reading() as session:
        everything = listed.find(session)
        first = listed.find_part(session, Page(3))
        rest = listed.find_part(session, Page(100, first.next))
    assert [*first.rows, *rest.rows] == everything
    assert rest.next is None
