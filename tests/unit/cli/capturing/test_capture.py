"""Receivers by address, recording and watching from the outside."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from heimdall.cli import main
from heimdall.errors import InputError
from heimdall.formats.quantities import hertz


@pytest.fixture(autouse=True)
def own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "receivers.json"
    monkeypatch.setenv("HEIMDALL_RECEIVERS", str(path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return path


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["heimdall", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_a_receiver_is_added_listed_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_list: Path
) -> None:
    place = "--position=52.1,13.2,40"
    assert _run(monkeypatch, "receivers", "add", "rtl_tcp://192.0.2.1", "--unchecked", "--name", "stick", place) == 0
    assert json.loads(own_list.read_text())["receivers"][0]["height_m"] == 40.0
    capsys.readouterr()
    assert _run(monkeypatch, "receivers", "list", "--no-ask", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)["receivers"]
    assert (listed["name"], listed["address"]) == ("stick", "rtl_tcp://192.0.2.1:1234")
    assert _run(monkeypatch, "receivers", "remove", "stick") == 0
    assert json.loads(own_list.read_text())["receivers"] == []


def test_what_does_not_answer_is_not_added(monkeypatch: pytest.MonkeyPatch, own_list: Path) -> None:
    assert _run(monkeypatch, "receivers", "add", "kiwi://127.0.0.1:1") == 1
    assert _run(monkeypatch, "receivers", "add", "kiwi://127.0.0.1:1", "--allow-network", "127.0.0.0/8") == 1
    assert not own_list.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["receivers", "add", "nonsense://x"], "is not the address of a receiver"),
        (["receivers", "add", "kiwi://x", "--position", "here"], "give latitude and longitude in degrees"),
        (["receivers", "add", "kiwi://x", "--unchecked", "--position", "95,200"], "not on the globe"),
        (["receivers", "add", "kiwi://x", "--unchecked", "--position", "1,2,3,4"], "give latitude and longitude"),
        (["receivers", "add", "kiwi://x", "--unchecked", "--position", "1,2,nan"], "not on the globe"),
        (["receivers", "add", "kiwi://x", "--allow-network", "home"], "is not a network"),
        (["receivers", "add", "kiwi://x", "--ppm", "5000"], "ppm"),
        (["receivers", "add", "kiwi://x", "--name", "a b"], "name"),
        (["receivers", "check", "kiwi://x:8073"], "heimdall receivers probe ADDRESS"),
        (["receivers", "remove", "nobody"], "no receiver in the list is called nobody"),
        (["record", "--frequency", "77.5k", "--output", "out"], "no receiver to record"),
        (["record", "--frequency", "loud", "--output", "out"], "is not a frequency"),
        (["watch", "--output", "out"], "say what to record"),
        (["watch", "--output", "out", "--frequency", "1M"], "one of --every, --cron and --squelch"),
        (["watch", "--output", "out", "--frequency", "1M", "--every", "1x"], "is not a duration"),
        (["watch", "--output", "out", "--frequency", "1M", "--squelch", "--close-db", "20"], "end before it begins"),
        (["watch", "--output", "out", "--frequency", "1M", "--squelch", "--sentinel", "x"], "not among the receivers"),
        (["watch", "--output", "out", "--input", "nowhere"], "no such folder"),
        (["simulate", "--serve", "--fault", "R01=cold"], "is not a fault"),
        (["simulate", "--serve", "--fault", "R99=busy", "--port", "0"], "no receiver is called R99"),
    ],
)
def test_a_call_that_is_wrong_is_one_line_and_leaves_nothing(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_frequencies_have_units() -> None:
    assert [hertz(text) for text in ("77500", "77.5k", "77.5 kHz", "433.92MHz", "1.2G")] == [
        77_500,
        77_500,
        77_500,
        433.92e6,
        1.2e9,
    ]
    for text in ("", "k", "-1k", "nan", "1e99", "1 kilo", "Hz"):
        with pytest.raises(InputError):
            hertz(text)
