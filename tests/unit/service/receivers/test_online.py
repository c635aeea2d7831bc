"""Receivers by address: only those that an operator added are asked, and private networks only where configured."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

import heimdall.capture
from heimdall.errors import InputError
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.service.receivers import online
from heimdall.service.receivers.online_schemas import OnlineChange, OnlineFields, view_online
from heimdall.service.receivers.refresher import Refresher


@pytest.fixture
def closed_port():
    """Nothing listens there, as long as the test holds it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def allowing(settings):
    return settings.model_copy(update={"capture_networks": ("127.0.0.0/8",)})


def kiwi(port, **values):
    return OnlineFields(address=f"kiwi://127.0.0.1:{port}", **values)


def test_a_private_address_is_not_even_tried_unless_the_configuration_names_its_network(store, settings):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        for fields in (kiwi(server.getsockname()[1]), kiwi(server.getsockname()[1], unchecked=True)):
            with pytest.raises(InputError, match=r"its network, 127\.0\.0\.0/8; HEIMDALL_CAPTURE_NETWORKS allows it"):
                online.add(store, settings, fields, "op")
        with pytest.raises(TimeoutError):
            server.accept()
    with store.reading() as session:
        assert online.find(session) == []


def test_one_that_does_not_answer_is_added_only_unchecked_and_says_why(store, allowing, closed_port):
    with pytest.raises(InputError, match=r"not added: .* nothing listens there"):
        online.add(store, allowing, kiwi(closed_port), "op")
    view = view_online(online.add(store, allowing, kiwi(closed_port, unchecked=True, password="s3cret"), "op"))
    assert (view.name, view.kind, view.created_by, view.has_password) == ("127.0.0.1", "kiwi", "op", True)
    assert view.state.fault == "unreachable"
    assert "nothing listens there" in view.state.reason
    assert "s3cret" not in view.model_dump_json()


def test_name_and_address_are_taken_once_and_a_position_is_whole(store, allowing, closed_port):
    online.add(store, allowing, kiwi(closed_port, unchecked=True, name="a"), "op")
    with pytest.raises(ConflictError, match="listed already, as a"):
        online.add(store, allowing, kiwi(closed_port, unchecked=True, name="b"), "op")
    with pytest.raises(ConflictError, match="called a already"):
        online.add(store, allowing, kiwi(closed_port + 1, unchecked=True, name="a"), "op")
    with pytest.raises(ValidationError, match="a position needs"):
        kiwi(1, latitude_deg=1.0)
    with pytest.raises(InputError, match="is not the address of a receiver"):
        online.add(store, allowing, OnlineFields(address="ftp://x"), "op")
    with pytest.raises(InputError, match="hardware of one computer"):
        online.add(store, allowing, OnlineFields(address="soapy:driver=rtlsdr"), "op")


def test_a_change_leaves_the_rest_and_one_that_is_switched_off_is_not_asked(store, allowing, closed_port):
    made = online.add(store, allowing, kiwi(closed_port, unchecked=True, name="a", note="roof"), "op")
    with store.writing() as session:
        view = view_online(online.change(session, "a", OnlineChange(latitude_deg=50.0, longitude_deg=9.0)))
    assert (view.latitude_deg, view.placed, view.note, view.enabled) == (50.0, True, "roof", True)
    with store.writing() as session:
        online.change(session, made.id, OnlineChange(enabled=False))
    assert online.refresh(store, allowing) == []
    with store.writing() as session:
        online.delete(session, "a")
        with pytest.raises(UnknownError, match="no receiver by address is called a"):
            online.get(session, "a")


def test_the_service_asks_those_that_are_due_and_no_others(store, allowing, closed_port):
    online.add(store, allowing, kiwi(closed_port, unchecked=True, name="a"), "op")
    with store.reading() as session:
        first = online.get(session, "a").asked_unix_s
    Refresher(allowing, store).look()
    with store.reading() as session:
        assert online.get(session, "a").asked_unix_s == first
    Refresher(allowing.model_copy(update={"receivers_every_s": 1e-6}), store).look()
    with store.reading() as session:
        assert online.get(session, "a").asked_unix_s > first


def test_no_sentence_of_the_drivers_names_an_option_of_the_command_line():
    """They are read on the page as well; SoapySDR is of the command line alone."""
    folder = Path(heimdall.capture.__file__).parent
    ours = [path for path in folder.rglob("*.py") if path.name not in ("soapy.py", "listing.py")]
    assert [found for path in ours for found in re.findall(r'"([^"\n]* --[^"\n]*)"', path.read_text())] == []


def test_a_place_comes_and_goes_whole():
    with pytest.raises(ValidationError, match="latitude_deg and longitude_deg"):
        OnlineChange(latitude_deg=None)
    with pytest.raises(ValidationError, match="latitude_deg and longitude_deg"):
        OnlineChange(latitude_deg=1.0, longitude_deg=None)
    assert OnlineChange(latitude_deg=None, longitude_deg=None).model_fields_set == {"latitude_deg", "longitude_deg"}
