"""Stored sessions come back as they were, know their transmitter once somebody said it, and are gone when deleted."""

from __future__ import annotations

import io
import json
import os
import threading
import time

import pytest
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.files.atomic import SCRATCH
from heimdall.formats.readers.positions import TRUTH_NAME
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.formats.writers.truth import write_truth
from heimdall.observation import Place
from heimdall.service.errors import UnknownError
from heimdall.service.storage import sessions
from heimdall.service.storage.session_summary import Summary
from heimdall.service.storage.uploads import receiving

from ..observed import RECEIVERS, table

TRUTH = Place(50.02, 10.05, 12.0)


@pytest.fixture
def stored(settings, store):
    def make(files: dict[str, bytes], truth: Place | None = None, name: str = ""):
        with receiving(settings) as upload:
            for path, content in files.items():
                upload.add(path, io.BytesIO(content))
            summary = sessions.prepare(upload, truth)
            return sessions.add(store, settings, upload, summary, name=name, created_by="test")

    return make


def again(store, session_id: str):
    with store.reading() as session:
        return sessions.get(session, session_id)


def test_what_was_stored_is_read_again(settings, store, stored):
    kept = stored({"m.jsonl": table(3)}, name="three")
    summary = Summary.model_validate(again(store, kept.id).summary)
    assert (kept.name, summary.observations, summary.with_truth, summary.carries) == ("three", 3, 0, ["times"])
    assert [receiver.name for receiver in summary.receivers] == list(RECEIVERS)
    assert [observation.id for observation in sessions.read(settings, kept)] == ["m0", "m1", "m2"]
    assert kept.size_bytes == len(table(3))


def test_a_single_json_or_txt_is_taken_for_measurements(settings, stored):
    assert len(sessions.read(settings, stored({"m.txt": table(2)}))) == 2


@pytest.mark.parametrize("truth", [TRUTH, Place(-33.5, -70.25)])
def test_a_truth_said_later_is_what_every_reader_finds(settings, store, stored, truth):
    kept = stored({"m.jsonl": table(2)})
    sessions.set_truth(store, settings, kept.id, truth)
    assert [observation.truth for observation in sessions.read(settings, kept)] == [truth, truth]
    assert Summary.model_validate(again(store, kept.id).summary).truth.latitude_deg == truth.latitude_deg
    sessions.set_truth(store, settings, kept.id, None)
    assert [observation.truth for observation in sessions.read(settings, kept)] == [None, None]


def test_of_two_truths_said_at_once_the_row_and_the_files_have_the_same_one(settings, store, stored, monkeypatch):
    kept, written = stored({"m.jsonl": table(2)}), threading.Event()

    def slow(folder, truth, limits):
        write_truth(folder, truth, limits)
        if truth == TRUTH:
            written.set()
            time.sleep(0.3)

    monkeypatch.setattr(sessions, "write_truth", slow)
    first = threading.Thread(target=sessions.set_truth, args=(store, settings, kept.id, TRUTH))
    first.start()
    assert written.wait(10)
    sessions.set_truth(store, settings, kept.id, Place(-33.5, -70.25))
    first.join()
    said = Summary.model_validate(again(store, kept.id).summary).truth.to_place()
    assert {each.truth for each in sessions.read(settings, kept)} == {said} == {Place(-33.5, -70.25)}


@pytest.mark.real
def test_kiwisdr_recordings_keep_their_truth_beside_them(settings, store, stored, real_data):
    files = {path.name: path.read_bytes() for path in (real_data / "kiwisdr_dcf77").iterdir()}
    kept = stored(files, truth=Place(50.0155, 9.0108))
    (observation,) = sessions.read(settings, kept)
    assert (observation.truth.latitude_deg, observation.truth.longitude_deg) == (50.0155, 9.0108)
    assert observation.id == kept.name == "77.5 kHz, 2020-08-13 06:52"


def test_sigmf_keeps_its_truth_in_the_collection(settings, store, stored, tmp_path):
    from heimdall.benchmark.locating_time import session as simulated

    write_sigmf(simulated(4, 256), tmp_path / "s")
    kept = stored({path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}, truth=TRUTH)
    assert sessions.read(settings, kept)[0].truth == TRUTH


def test_what_cannot_be_read_is_not_stored_and_its_folder_is_not_told(settings, store, stored):
    with pytest.raises(InputError, match=r"^m\.jsonl line 1"):
        stored({"m.jsonl": b"{}\n"})
    with store.reading() as session:
        assert not sessions.find(session)


@pytest.mark.parametrize(
    "files", [{"a_iq.wav": b"RIFF"}, {"a.sigmf-meta": b"{}"}, {"a.exe": b"x"}, {"m.jsonl": b"{}"}, {"m.jsonl": b""}]
)
def test_nothing_that_goes_wrong_with_an_upload_names_its_folder(stored, files):
    with pytest.raises(InputError) as caught:
        stored(files)
    assert SCRATCH not in str(caught.value)


def test_a_deleted_session_is_unknown_and_its_files_are_gone(settings, store, stored):
    kept = stored({"m.jsonl": table()})
    sessions.delete(store, settings, kept.id)
    assert not sessions.folder_of(settings, kept.id).exists()
    with store.reading() as session, pytest.raises(UnknownError):
        sessions.get(session, kept.id)


def test_a_folder_that_a_crash_left_without_a_row_is_removed_once_it_is_old(settings, store, stored):
    kept = stored({"m.jsonl": table()})
    old, fresh = (sessions.folder_of(settings, name * 16) for name in "ab")
    for folder in (old, fresh):
        folder.mkdir()
        (folder / "m.jsonl").write_bytes(table())
    os.utime(old, (0, 0))
    os.utime(sessions.folder_of(settings, kept.id), (0, 0))
    assert sessions.remove_orphans(store, settings) == 1
    assert not old.exists()
    assert fresh.exists()
    assert sessions.read(settings, kept)


def test_a_session_that_the_database_did_not_take_leaves_no_files(settings, store, stored, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Session, "flush", refuse)
    with pytest.raises(OSError, match="disk full"):
        stored({"m.jsonl": table()})
    assert list((settings.data / sessions.FOLDER).iterdir()) == []


def test_the_place_of_a_transmitter_is_kept_to_the_last_digit(settings, tmp_path):
    place = Place(47.4510040283203, 9.00000000001, 512.345678)
    (tmp_path / "20200813T065220Z_77500_a_iq.wav").write_bytes(b"")
    write_truth(tmp_path, place)
    assert json.loads((tmp_path / TRUTH_NAME).read_text()) == [place.latitude_deg, place.longitude_deg, place.height_m]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_place_of_a_transmitter_goes_into_an_indented_table(tmp_path, encoding):
    row = json.loads(table(1))
    (tmp_path / "m.jsonl").write_text(json.dumps([row, row], indent=1), encoding=encoding)
    write_truth(tmp_path, Place(47.5, 9.25))
    assert [each.truth for each in read_observations(tmp_path / "m.jsonl")] == [Place(47.5, 9.25)] * 2


def test_the_place_of_a_transmitter_goes_into_a_spreadsheet(tmp_path):
    """Which becomes lines of JSON with the same digits; a list of stations beside it stays as it is."""
    (tmp_path / "m.csv").write_text(
        "id;frequency_hz;bandwidth_hz;receiver;lat;lon;toa_s;clock_sigma_s\n"
        "a;1e8;1e5;north;48,2;11,5;1700000000,1234567890123;1e-7\n"
        "a;1e8;1e5;south;47,8;11,5;1700000000,1234568890123;1e-7\n"
    )
    (tmp_path / "stations.csv").write_text("receiver,lat,lon\nnorth,48.2,11.5\n")
    write_truth(tmp_path, Place(47.5, 9.25))
    (read,) = read_observations(tmp_path)
    assert read.truth == Place(47.5, 9.25)
    assert read.receptions[1].toa_s - read.receptions[0].toa_s == pytest.approx(1e-7, abs=1e-15)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m.csv.jsonl", "stations.csv"]


@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n"])
def test_the_place_of_a_transmitter_leaves_all_else_as_it_was(tmp_path, newline):
    first = (
        '{"id": "a, b: {c}", "measurements": [{"receiver": "A", "toa_s": 1700000000.1234567890123}], "note": 1.10e0}'
    )
    (tmp_path / "m.jsonl").write_bytes((first + newline + first + newline).encode())
    write_truth(tmp_path, Place(47.5, 9.25))
    truth = '{"latitude_deg": 47.5, "longitude_deg": 9.25, "height_m": null}'
    assert (tmp_path / "m.jsonl").read_text() == f'{first[:-1]}, "truth": {truth}}}\n' * 2


def test_sessions_without_a_name_get_distinct_ones(stored):
    names = [stored({"m.jsonl": table(1)}).name for _ in range(3)]
    assert names == [names[0], f"{names[0]} (2)", f"{names[0]} (3)"]


def test_the_list_is_searched_filtered_sorted_and_cut_into_pages(store, stored):
    for number in range(5):
        stored({"m.jsonl": table(1)}, name=f"noon {number}", truth=TRUTH if number == 3 else None)
    stored({"m.jsonl": table(1)}, name="100 % of it")

    def names(**wanted):
        with store.reading() as session:
            part, total = sessions.search(session, sessions.Wanted(**wanted))
            return [each.name for each in part], total

    assert names(text="NOON", sort=sessions.Sort.NAME, offset=2, limit=2) == (["noon 2", "noon 3"], 5)
    assert names(text="0 %") == (["100 % of it"], 1)
    assert names(known=True) == (["noon 3"], 1)
    assert names(text="test")[1] == 6  # who uploaded them
    assert names(sort=sessions.Sort.OLDEST, limit=1) == (["noon 0"], 6)
