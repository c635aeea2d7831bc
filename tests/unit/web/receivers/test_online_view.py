"""Receivers by address on a page: filtered by what they say of themselves, and escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from heimdall.errors import InputError
from heimdall.service.receivers.online_schemas import OnlineView, ReceiverState
from heimdall.web.receivers.online_form import read_change, read_new
from heimdall.web.receivers.online_view import is_usable, read_filter, receiver_html, state_words


def receiver(state: dict[str, Any] | None = None, **changes: Any) -> OnlineView:
    usual: dict[str, Any] = {"id": "1", "name": "R01", "address": "kiwi://h:8073", "kind": "kiwi", "enabled": True}
    usual |= {"latitude_deg": 50.0, "longitude_deg": 9.0, "height_m": None, "placed": False, "has_password": False}
    usual |= {"gain_db": None, "ppm": 0.0, "note": "", "created_by": "a", "asked_utc": None}
    found = None if state is None else ReceiverState(**({"usable": True, "reason": None} | state))
    return OnlineView(**(usual | changes), created_utc=datetime.now(UTC), state=found)


@pytest.mark.parametrize(
    ("typed", "seen", "kept"),
    [
        (("", None, "", False), receiver(), True),
        (("51, 9", 100, "", False), receiver(), False),
        (("51, 9", 120, "", False), receiver(), True),
        (("JO40", 100, "", False), receiver(), True),
        (("51, 9", 120, "", False), receiver(latitude_deg=None, longitude_deg=None), False),
        (("", None, "", True), receiver({"has_gps": True}), True),
        (("", None, "", True), receiver({"has_gps": None}), False),
        (("", None, "", True), receiver(), False),
        (("", None, "77.5k", False), receiver({"band_hz": (0.0, 30e6)}), True),
        (("", None, "433M", False), receiver({"band_hz": (0.0, 30e6)}), False),
        (("", None, "433M", False), receiver({"band_hz": None}), True),
    ],
)
def test_a_filter_keeps_what_fulfils_it(typed: tuple[Any, ...], seen: OnlineView, kept: bool) -> None:
    assert read_filter(*typed).keeps(seen) is kept


def test_a_wrong_filter_is_said() -> None:
    for typed in (("nowhere", None, "", False), ("", 0, "", False), ("", None, "x", False)):
        with pytest.raises(InputError):
            read_filter(*typed)


def test_the_state_has_a_word_and_a_reason() -> None:
    busy = receiver({"usable": False, "reason": "all its 4 slots are taken"})
    assert [state_words(each)[0] for each in (receiver(), receiver({}), busy, receiver({}, enabled=False))] == [
        "not asked yet",
        "ready",
        "not usable",
        "off",
    ]
    assert "All its 4 slots are taken." in receiver_html(busy)
    assert not is_usable(receiver({}, enabled=False))


def test_what_a_receiver_calls_itself_is_no_markup() -> None:
    shown = receiver_html(receiver({"usable": False, "reason": "<b>x</b>"}, note="<script>"))
    assert "<script>" not in shown
    assert "<b>" not in shown


def test_a_new_receiver_is_read_and_a_wrong_field_is_named() -> None:
    read = read_new(" kiwi://h:8073 ", "R01", "50, 9, 40", "", False)
    assert (read.address, read.latitude_deg, read.height_m, read.password) == ("kiwi://h:8073", 50.0, 40.0, None)
    for typed, said in ((("", "", "", "", False), "address"), (("h", "a b", "", "", False), "name")):
        with pytest.raises(InputError, match=said):
            read_new(*typed)


def test_an_empty_password_stays_and_an_empty_place_is_the_receivers_own() -> None:
    change = read_change("", "", "", "2.5", "n")
    assert "password" not in change.model_fields_set
    assert {"latitude_deg", "gain_db"} <= change.model_fields_set
    assert (change.latitude_deg, change.gain_db, change.ppm) == (None, None, 2.5)
    with pytest.raises(InputError, match="gain db must be a number"):
        read_change("", "", "loud", "", "")
