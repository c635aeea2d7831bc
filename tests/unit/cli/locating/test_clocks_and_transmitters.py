"""`heimdall receivers synchronise` and `heimdall transmitters`, on files as an operator has them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dongle_scene import BEGIN_UTC, MAST, heard_by, later_by, observation_of
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_write import write_sigmf


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("HEIMDALL_TRANSMITTERS", str(tmp_path / "transmitters.json"))


@pytest.fixture
def listed(heimdall):
    place = f"{MAST.latitude_deg},{MAST.longitude_deg},{MAST.height_m}"
    about = ["--frequency", f"{MAST.frequency_hz:.0f}", "--kind", "fm", "--bandwidth", "90k", "--position-sigma", "1"]
    assert heimdall("transmitters", "add", "Mast", "--position", place, *about)[0] == 0


@pytest.fixture(scope="module")
def recorded():
    return replace(observation_of([heard_by(index) for index in range(4)]), id="before", time_utc=BEGIN_UTC)


@pytest.fixture
def session(recorded, tmp_path):
    write_sigmf(recorded, tmp_path / "before")
    return tmp_path / "before"


def clocks(path):
    (read,) = read_observations(path)
    return [each.receiver.clock_sigma_s for each in read.receptions]


def test_a_session_with_clocks_is_written_and_says_how_good_they_are(heimdall, listed, session, tmp_path):
    assert clocks(session) == [None] * 4
    code, out, err = heimdall("receivers", "synchronise", session, "--output", tmp_path / "timed", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["reference"]["name"] == "Mast"
    assert document["refused"] is None
    assert [each["synchronised"] for each in document["receivers"]] == [True] * 4
    assert all(sigma_s is not None and sigma_s < 1e-6 for sigma_s in clocks(tmp_path / "timed"))


def test_clocks_come_from_another_session_of_the_same_clocks(heimdall, listed, recorded, session, tmp_path):
    write_sigmf(later_by(recorded, 1.0), tmp_path / "later")
    about = ("--reference-session", session, "--output", tmp_path / "timed")
    code, _, err = heimdall("receivers", "synchronise", tmp_path / "later", *about)
    assert code == 0, err
    assert "in before, recorded 1 s before, if their clocks ran on from one to the other" in " ".join(err.split())
    near, far = clocks(session), clocks(tmp_path / "timed")
    assert near == [None] * 4
    assert all(sigma_s is not None and sigma_s < 10e-6 for sigma_s in far)
    code, out, _ = heimdall("locate", tmp_path / "later", "--reference-session", session, "--json")
    assert code == 0
    assert len(json.loads(out)["fixes"]) == 1
    code, _, err = heimdall("receivers", "synchronise", tmp_path / "later")
    assert code == 2
    assert "no known transmitter is in the recordings" in err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--reference", "Nobody"], 2, "Nobody"),
        (["--frequency", "200M"], 2, "is not in it"),
        (["--reference-session", "nowhere"], 2, "nowhere"),
        (["--reference", "Elsewhere"], 2, "not in the recordings"),
    ],
)
def test_what_gives_no_clock_is_one_line_and_writes_nothing(heimdall, listed, session, tmp_path, arguments, code, told):
    heimdall("transmitters", "add", "Elsewhere", "--position", "50,9", "--frequency", "105M", "--kind", "fm")
    found, _, err = heimdall("receivers", "synchronise", session, *arguments, "--output", tmp_path / "timed")
    assert (found, told in err, (tmp_path / "timed").exists()) == (code, True, False), err
    assert "Traceback" not in err


def test_a_list_of_transmitters_is_kept_exchanged_and_shortened(heimdall, listed, tmp_path):
    def own():
        return {
            each["name"]: each for each in json.loads(heimdall("transmitters", "list", "--json")[1])["transmitters"]
        }

    assert own()["Mast"]["bandwidth_hz"] == 90e3
    heimdall("transmitters", "add", "Вышка", "--position", "55.8,37.6", "--frequency", "98.5M", "--kind", "fm")
    assert heimdall("transmitters", "export", tmp_path / "list.csv")[0] == 0
    for name in ("Mast", "Вышка"):
        assert heimdall("transmitters", "remove", name)[0] == 0
    assert not {"Mast", "Вышка"} & set(own())
    assert heimdall("transmitters", "import", tmp_path / "list.csv")[0] == 0
    assert own()["Вышка"]["frequency_hz"] == 98.5e6


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["add", "X", "--position", "95,9", "--frequency", "98.5M"], "not on the globe"),
        (["add", "X", "--position", "50,9", "--frequency", "loud"], "loud"),
        (["add", "X", "--position", "50,9", "--frequency", "98.5M", "--kind", "pirate"], "kind"),
        (["remove", "Nobody"], "Nobody"),
        (["import", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_a_wrong_transmitter_is_one_line_and_leaves_the_list(heimdall, listed, arguments, told):
    before = heimdall("transmitters", "list", "--json")[1]
    code, _, err = heimdall("transmitters", *arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
    assert heimdall("transmitters", "list", "--json")[1] == before
