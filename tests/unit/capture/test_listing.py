"""The operator's list of receivers."""

import json
import stat
from pathlib import Path

import pytest

from heimdall.capture.listing import (
    ListedReceiver,
    ReceiverList,
    default_path,
    free_name,
    load,
    save,
    with_receiver,
    without_receiver,
)
from heimdall.errors import InputError

ONE = ListedReceiver(
    name="alpha", address="kiwi://example.org", password="secret", latitude_deg=50.0, longitude_deg=9.0
)


def test_a_list_comes_back_as_it_was_saved_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "receivers.json"
    listed = with_receiver(ReceiverList(contact="ops@example.org", allowed_networks=("10.0.0.0/8",)), ONE)
    save(path, listed)
    assert load(path) == listed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load(path).targets()[0].password == "secret"
    assert "secret" not in repr(load(path)) + repr(load(path).targets())


def test_without_a_file_the_list_is_empty(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == ReceiverList()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"receivers": [{"name": "a b", "address": "kiwi://x"}]}', '{"version": 2}', '{"typo": 1}'],
)
def test_a_file_that_is_no_list_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(content)
    with pytest.raises(InputError, match="not a list of receivers"):
        load(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_is_read_however_an_editor_saved_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "list.json"
    save(path, with_receiver(ReceiverList(), ONE))
    path.write_text(path.read_text(), encoding=encoding)
    assert load(path).receivers == (ONE,)


def test_names_and_addresses_stand_in_a_list_once() -> None:
    listed = with_receiver(ReceiverList(), ONE)
    with pytest.raises(InputError, match="called alpha already"):
        with_receiver(listed, ONE)
    with pytest.raises(InputError, match="in the list already, as alpha"):
        with_receiver(listed, ONE.model_copy(update={"name": "beta"}))


def test_a_name_that_is_not_there_is_said_with_those_that_are() -> None:
    listed = with_receiver(ReceiverList(), ONE)
    with pytest.raises(InputError, match="there are alpha"):
        listed.targets(["gamma"])
    assert without_receiver(listed, "alpha").receivers == ()


def test_names_are_made_of_what_receivers_call_themselves() -> None:
    listed = with_receiver(ReceiverList(), ONE)
    assert free_name(listed, "alpha") == "alpha-2"
    assert free_name(listed, " KiwiSDR, Bad Döbeln / 0-30 MHz!") == "KiwiSDR-Bad-D-beln-0-30"
    assert free_name(listed, "///") == "receiver"


def test_the_list_lies_where_the_user_keeps_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HEIMDALL_RECEIVERS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_path() == tmp_path / "heimdall" / "receivers.json"
    monkeypatch.setenv("HEIMDALL_RECEIVERS", str(tmp_path / "own.json"))
    assert default_path() == tmp_path / "own.json"


def test_a_list_is_json_that_people_can_edit(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    save(path, with_receiver(ReceiverList(), ONE))
    document = json.loads(path.read_text())
    assert document["receivers"][0]["address"] == "kiwi://example.org:8073"
