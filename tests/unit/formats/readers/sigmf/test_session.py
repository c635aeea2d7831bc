"""SigMF sessions: what is written is read again, and what is wrong with a recording is said."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmf import SigMFFile

from heimdall.errors import InputError
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.sigmf.session import read_collection, read_recordings
from heimdall.formats.writers.sigmf_write import Datatype, write_sigmf
from heimdall.observation import Observation

COLLECTION = "night.sigmf-collection"
Files = dict[str, bytes]


def _written(observation: Observation, folder: Path, datatype: Datatype = Datatype.CF32_LE) -> Files:
    write_sigmf(observation, folder, datatype)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def files(iq_session: Observation, tmp_path: Path) -> Files:
    return _written(iq_session, tmp_path)


@pytest.fixture(scope="module")
def kept_files(iq_session: Observation, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return _written(iq_session, tmp_path_factory.mktemp("session"))


def _edit(files: Files, index: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the metadata of one recording."""
    name = sorted(name for name in files if name.endswith("-meta"))[index]
    document = json.loads(files[name])
    change(document)
    files[name] = json.dumps(document).encode()


def _data_name(files: Files, index: int) -> str:
    return sorted(name for name in files if name.endswith("-data"))[index]


def _flaws(files: Files) -> list[str | None]:
    return [reception.flaw for reception in read_collection(COLLECTION, files, Limits()).receptions]


@pytest.mark.parametrize(
    ("datatype", "step"),
    [
        (Datatype.CF32_LE, 0),
        (Datatype.CF32_BE, 0),
        (Datatype.CI16_LE, 2**-15),
        (Datatype.CI16_BE, 2**-15),
        (Datatype.CI8, 2**-7),
    ],
)
def test_what_is_written_is_read_again(
    iq_session: Observation, tmp_path: Path, datatype: Datatype, step: float
) -> None:
    """Receivers, times, truth and channel come back; samples to half a step of their data type."""
    read = read_collection(COLLECTION, _written(iq_session, tmp_path, datatype), Limits())
    assert (read.id, read.frequency_hz, read.bandwidth_hz) == ("night", 145.5e6, 4000.0)
    assert (read.truth, read.transmitter_height_m, read.notes) == (iq_session.truth, 100.0, ())
    assert iq_session.time_utc is not None
    assert read.time_utc is not None
    moved_s = (iq_session.time_utc - read.time_utc).total_seconds()
    for before, after in zip(iq_session.receptions, read.receptions, strict=True):
        assert after.receiver == before.receiver
        assert after.flaw is None
        assert after.start_s == pytest.approx(before.start_s + moved_s, abs=1e-12)
        assert after.samples is not None
        assert after.samples.dtype == np.complex64
        parts = after.samples.view(np.float32) - np.asarray(before.samples).view(np.float32)
        assert np.max(np.abs(parts)) <= 0.5001 * step


def test_the_written_metadata_satisfy_the_schema(files: Files) -> None:
    """Each recording's metadata pass the SigMF library's own validation, with the extension declared."""
    for name, content in files.items():
        if name.endswith("-meta"):
            SigMFFile(metadata=content.decode()).validate()


@pytest.mark.parametrize("captures", [1, 0])
def test_a_frequency_in_global_is_that_of_the_captures(files: Files, captures: int) -> None:
    """Many programs write it there, be it as a string, or leave the captures out."""

    def change(document: dict[str, Any]) -> None:
        for capture in document["captures"]:
            del capture["core:frequency"]
        document["global"]["core:frequency"] = "145.5e6"
        document["captures"] = document["captures"][:captures]

    for index in range(len(read_collection(COLLECTION, files, Limits()).receptions)):
        _edit(files, index, change)
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.frequency_hz == 145.5e6
    assert not any(each.flaw for each in observation.receptions)
    assert any(
        note.endswith("its core:frequency is in global: it is read as that of its captures")
        for note in observation.notes
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [(433e6, "in global is not used: its captures state another"), ("high", "'high' in global is not used")],
)
def test_a_frequency_in_global_that_is_not_used_is_said(files: Files, value: object, said: str) -> None:
    _edit(files, 1, lambda document: document["global"].update({"core:frequency": value}))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[1].flaw is None
    assert [note for note in observation.notes if said in note]


def test_digits_beyond_microseconds_are_kept(files: Files) -> None:
    """A stamp with eleven digits after the point is read to 10 ps."""
    _edit(
        files, 1, lambda document: document["captures"][0].update({"core:datetime": "2025-01-01T12:30:15.00000000012Z"})
    )
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[1].start_s % 1 == pytest.approx(1.2e-10, abs=1e-14)


def _stating(files: Files, **stated: Any) -> Observation:
    """The session whose collection states this under the keys of our extension."""
    document = json.loads(files[COLLECTION])
    document["collection"].update({f"heimdall:{key}": value for key, value in stated.items()})
    return read_collection(COLLECTION, {**files, COLLECTION: json.dumps(document).encode()}, Limits())


@pytest.mark.parametrize(
    "truth",
    [
        "[47.25, 8.125]",
        "47.25N 8.125E",
        {"latitude_deg": 47.25, "longitude_deg": 8.125},
        {"lat": "47.25", "lon": "8.125"},
        {"type": "Point", "coordinates": ["8.125", "47.25"]},
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [8.125, 47.25]}},
    ],
)
def test_a_transmitter_that_is_plain_in_another_form_is_read_and_said(files: Files, truth: Any) -> None:
    observation = _stating(files, truth=truth)
    assert observation.truth is not None
    assert (observation.truth.latitude_deg, observation.truth.longitude_deg) == (47.25, 8.125)
    assert "collection: heimdall:truth is read as latitude 47.25, longitude 8.125" in observation.notes


@pytest.mark.parametrize(
    "truth",
    [
        [47.25, 8.125],
        "on the hill",
        {"x": 47.25, "y": 8.125},
        {"type": "LineString", "coordinates": [[8, 47], [9, 48]]},
        7,
    ],
)
def test_a_transmitter_that_may_stand_anywhere_is_left_out_and_said(files: Files, truth: Any) -> None:
    """Of two numbers in a list either may be the latitude."""
    observation = _stating(files, truth=truth)
    assert observation.truth is None
    (note,) = [note for note in observation.notes if "heimdall:truth" in note]
    assert note.endswith('is not used: write {"type": "Point", "coordinates": [longitude, latitude]}')


@pytest.mark.parametrize("coordinates", [[411.5, 47.25], [8.125, math.nan], [-math.inf, 47.25]])
def test_a_transmitter_off_the_globe_is_left_out_and_said(files: Files, coordinates: list[float]) -> None:
    """Its distance from the fix would be no number, which JSON cannot say."""
    observation = _stating(files, truth={"type": "Point", "coordinates": coordinates})
    assert observation.truth is None
    assert any(note.startswith("the known transmitter is not compared with: ") for note in observation.notes)


def test_numbers_of_a_collection_that_are_strings_are_read_and_said(files: Files) -> None:
    for index in range(3):
        _edit(files, index, lambda document: document["annotations"].clear())
    observation = _stating(files, transmitter_height_m="432.5", bandwidth_hz=" 6000 ")
    assert (observation.transmitter_height_m, observation.bandwidth_hz) == (432.5, 6000.0)
    assert "collection: heimdall:transmitter_height_m, a string, is read as the number 432.5" in observation.notes
    assert "collection: heimdall:bandwidth_hz, a string, is read as the number 6000" in observation.notes


@pytest.mark.parametrize(
    ("key", "value", "note"),
    [
        ("transmitter_height_m", "432 ft", "'432 ft' is not used: write a number"),
        ("transmitter_height_m", [432], "[432] is not used: write a number"),
        ("bandwidth_hz", "6 kHz", "'6 kHz' is not used: write a number"),
        ("bandwidth_hz", True, "True is not used: write a number"),
        ("bandwidth_hz", -6000, "of -6000 is not used: it cannot be right"),
        ("frequency_hz", math.nan, "of nan is not used: it cannot be right"),
    ],
)
def test_a_number_of_a_collection_that_is_none_is_said(files: Files, key: str, value: Any, note: str) -> None:
    observation = _stating(files, **{key: value})
    assert f"collection: heimdall:{key} {note}" in observation.notes
    assert observation.bandwidth_hz == 4000.0


def test_a_folder_without_a_collection_is_a_session(files: Files) -> None:
    """All recordings are taken, in the order of their names."""
    del files[COLLECTION]
    (observation,) = read_recordings("bare", files, Limits())
    assert observation.id == "bare"
    assert observation.truth is None
    assert [reception.receiver.name for reception in observation.receptions] == ["R0 ü", "R1 ü", "R2 ü"]


def test_without_annotations_the_channel_is_measured(files: Files) -> None:
    """The width of the signal is found in its spectrum, to two bins on both sides, and a note says so."""
    for index in range(3):
        _edit(files, index, lambda document: document["annotations"].clear())
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.bandwidth_hz == pytest.approx(4000, abs=4 * 16_000 / 128)
    assert "no annotation states the channel" in observation.notes[0]


def test_the_place_may_stand_in_the_capture(files: Files) -> None:
    """The specification prefers the position in the capture to the one of the whole recording."""
    position = {"type": "Point", "coordinates": [10.0, 50.0]}
    _edit(files, 0, lambda document: document["captures"][0].update({"core:geolocation": position}))
    receiver = read_collection(COLLECTION, files, Limits()).receptions[0].receiver
    assert (receiver.latitude_deg, receiver.longitude_deg, receiver.height_m) == (50.0, 10.0, 0.0)


@pytest.mark.parametrize(("moved_deg", "noted"), [(0.0, False), (0.00001, False), (0.01, True)])
def test_a_capture_elsewhere_than_its_recording_is_said(files: Files, moved_deg: float, noted: bool) -> None:
    """One of two places may be wrong; GPS scatters by metres."""

    def move(document: dict[str, Any]) -> None:
        longitude_deg, *rest = document["global"]["core:geolocation"]["coordinates"]
        place = {"type": "Point", "coordinates": [longitude_deg + moved_deg, *rest]}
        document["captures"][0]["core:geolocation"] = place

    _edit(files, 0, move)
    notes = read_collection(COLLECTION, files, Limits()).notes
    assert any("is another than that in global: the capture's is used" in note for note in notes) == noted


def test_only_the_first_capture_is_used(files: Files) -> None:
    """What comes after a second capture's start belongs to another tuning or time."""
    _edit(files, 0, lambda document: document["captures"].append({"core:sample_start": 600}))
    samples = read_collection(COLLECTION, files, Limits()).receptions[0].samples
    assert samples is not None
    assert len(samples) == 600


def test_captures_that_follow_each_other_are_joined(files: Files) -> None:
    """A recorder that is re-synchronised begins a capture: where its time fits to half a sample, nothing is lost."""

    def change(document: dict[str, Any]) -> None:
        start = "2025-01-01T12:30:15.000000"
        document["captures"][0]["core:datetime"] = f"{start}Z"
        later = {**document["captures"][0], "core:sample_start": 600, "core:datetime": "2025-01-01T12:30:15.0375Z"}
        document["captures"].append(later)

    _edit(files, 0, change)
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[0].samples is not None
    assert len(observation.receptions[0].samples) == 1024
    assert any("2 captures follow each other" in note for note in observation.notes)


@pytest.mark.parametrize(
    ("north_deg", "height_m", "joined"),
    [
        (0.00005, None, True),
        (0.0, 12.0, True),
        (None, None, True),
        (0.02, None, False),
        (0.0, 60.0, False),
        (70.0, None, False),
    ],
)
def test_captures_are_joined_where_the_receiver_stood_still(
    files: Files, north_deg: float | None, height_m: float | None, joined: bool
) -> None:
    """GPS scatters by metres; one that moves between two captures has two places, and the longer capture has its own."""

    def change(document: dict[str, Any]) -> None:
        document["global"]["core:geolocation"] = {"type": "Point", "coordinates": [9.25, 48.5, 0.0]}
        document["captures"][0]["core:datetime"] = "2025-01-01T12:30:15.000000Z"
        later = {**document["captures"][0], "core:sample_start": 400, "core:datetime": "2025-01-01T12:30:15.025Z"}
        if north_deg is not None:
            place = [9.25, 48.5 + north_deg, height_m or 0.0]
            later["core:geolocation"] = {"type": "Point", "coordinates": place}
        document["captures"].append(later)

    _edit(files, 0, change)
    reception = read_collection(COLLECTION, files, Limits()).receptions[0]
    assert reception.samples is not None
    assert len(reception.samples) == (1024 if joined else 624)
    assert reception.receiver.latitude_deg == 48.5 + (0.0 if joined or north_deg is None else north_deg)


def test_a_place_that_only_a_later_capture_has_is_not_that_of_the_first(files: Files) -> None:
    def change(document: dict[str, Any]) -> None:
        place = document["global"].pop("core:geolocation")
        document["captures"][0]["core:datetime"] = "2025-01-01T12:30:15.000000Z"
        later = {**document["captures"][0], "core:sample_start": 400, "core:datetime": "2025-01-01T12:30:15.025Z"}
        document["captures"].append({**later, "core:geolocation": place})

    _edit(files, 0, change)
    reception = read_collection(COLLECTION, files, Limits()).receptions[0]
    assert reception.flaw is None
    assert reception.samples is not None
    assert len(reception.samples) == 624


def test_the_longest_of_captures_apart_is_used_with_its_own_time(files: Files) -> None:
    later = {"core:sample_start": 100, "core:frequency": 145.5e6, "core:datetime": "2025-01-01T12:30:16.5Z"}
    _edit(files, 0, lambda document: document["captures"].append(later))
    observation = read_collection(COLLECTION, files, Limits())
    reception = observation.receptions[0]
    assert reception.samples is not None
    assert len(reception.samples) == 924
    assert reception.start_s % 1 == pytest.approx(0.5)
    assert any("the longest, 924 samples from 2025-01-01T12:30:16.5Z" in note for note in observation.notes)


@pytest.mark.parametrize("center_hz", [145.5e6, 2.4e9, 5000.0])
def test_edges_as_offsets_from_the_centre_are_read_as_such(files: Files, center_hz: float) -> None:
    def change(document: dict[str, Any]) -> None:
        document["captures"][0]["core:frequency"] = center_hz
        document["annotations"][0].update({"core:freq_lower_edge": -1500.0, "core:freq_upper_edge": 1500.0})

    for index in range(3):
        _edit(files, index, change)
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.bandwidth_hz in (3000.0, 13_000.0 if center_hz == 5000.0 else 3000.0)
    assert observation.bandwidth_hz <= 16_000 * 1.01
    if center_hz > 16_000:
        assert any("as offsets" in note for note in observation.notes)


def test_a_bandwidth_above_the_sample_rate_never_passes(files: Files) -> None:
    """Edges that are neither frequencies recorded nor offsets are not used: the channel is found, and both are said."""
    for index in range(3):
        _edit(
            files,
            index,
            lambda d: d["annotations"][0].update({"core:freq_lower_edge": 9e6, "core:freq_upper_edge": 9.1e6}),
        )
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.bandwidth_hz == pytest.approx(4000, abs=4 * 16_000 / 128)
    assert any("lie outside what it recorded" in note for note in observation.notes)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda d: d.pop("annotations"), "lack annotations"),
        (lambda d: d["global"].pop("core:version"), "lack core:version"),
        (lambda d: d["captures"][0].pop("core:sample_start"), "lack core:sample_start"),
        (lambda d: d["global"].update({"core:author": 3}), "core:author is not SigMF and is not used"),
        (lambda d: d["annotations"].append({"core:sample_start": "x"}), "annotations are not SigMF"),
        (lambda d: d["captures"][0].update({"core:time": d["captures"][0].pop("core:datetime")}), "core:time is read"),
        (lambda d: d["global"]["core:geolocation"]["coordinates"].__setitem__(2, None), "height is null"),
        (
            lambda d: d["global"].update(
                {"core:geolocation": {"type": "Feature", "geometry": d["global"]["core:geolocation"]}}
            ),
            "a Feature",
        ),
        (lambda d: d["captures"][0].update({"core:frequency": "145.5 MHz"}), "'145.5 MHz' is read as 145500000"),
        (lambda d: d["global"].update({"core:sample_rate": "16 kS/s"}), "'16 kS/s' is read as 16000"),
        (lambda d: d["global"].update({"heimdall:clock_sigma_s": "50 ns"}), "'50 ns' is read as 5e-08"),
        (lambda d: d["captures"][0].update({"core:sample_start": "0"}), "a string, is read as the number 0"),
        (lambda d: d["global"].update({"core:datatype": "CF32_LE"}), "'CF32_LE' is read as cf32_le"),
        (lambda d: d["global"].update({"core:datatype": "complex64"}), "'complex64' is read as cf32_le"),
        (lambda d: _placed_as(d, lambda lon, lat: f"{lat}, {lon}"), "is read as latitude"),
        (lambda d: _placed_as(d, lambda lon, lat: {"latitude": lat, "longitude": lon}), "is read as latitude"),
        (lambda d: _placed_as(d, lambda lon, lat: {"coordinates": [str(lon), str(lat)]}), "is read as latitude"),
        (lambda d: _placed_as(d, lambda lon, lat: {"type": "point", "coordinates": [lon, lat]}), "is read as latitude"),
        (lambda d: _placed_as(d, lambda lon, lat: {"type": "MultiPoint", "coordinates": [[lon, lat]]}), "is read as"),
        (lambda d: d["global"].update({"core:datetime": d["captures"][0].pop("core:datetime")}), "of its first sample"),
        (lambda d: d["global"].update({"core:time": d["captures"][0].pop("core:datetime")}), "of its first sample"),
        (lambda d: d["global"].update({"core:datetime": "2001-01-01T00:00:00Z"}), "its captures state another"),
        (lambda d: _as_old(d, d["global"]), "core:latitude and core:longitude are read"),
        (lambda d: _as_old(d, d["annotations"][0]), "core:latitude and core:longitude are read"),
        (lambda d: d["global"].update({"heimdall:clock_sigma": 1e-7}), "did you mean heimdall:clock_sigma_s?"),
        (lambda d: d["annotations"][0].update({"heimdall:receiver": "x"}), "heimdall:receiver is unknown and not used"),
    ],
)
def test_metadata_of_other_programs_are_read_with_a_note(files: Files, change: Any, note: str) -> None:
    """What locating needs is there, in another place or form; nothing that it does not need makes a flaw."""
    _edit(files, 1, change)
    observation = read_collection(COLLECTION, files, Limits())
    assert [reception.flaw for reception in observation.receptions] == [None] * 3
    assert any(note in each for each in observation.notes)


def _placed_as(document: dict[str, Any], form: Any) -> None:
    document["global"]["core:geolocation"] = form(*document["global"]["core:geolocation"]["coordinates"][:2])


def _as_old(document: dict[str, Any], segment: dict[str, Any]) -> None:
    segment["core:longitude"], segment["core:latitude"] = document["global"].pop("core:geolocation")["coordinates"][:2]


@pytest.mark.parametrize(
    "written",
    [
        "2025-01-01T12:30:15.123456789Z",
        "2025-01-01T12:30:15.123456789+00:00",
        "2025-01-01T12:30:15.123456789+00:00Z",
        "2025-01-01T14:30:15.123456789+02:00",
        "2025-01-01T07:00:15.123456789-0530",
        "2025-01-01 14:30:15.123456789+02",
        "2025-01-01 12:30:15.123456789 GMT",
        "2025-01-01 12:30:15.123456789Z",
        "2025-01-01 12:30:15,123456789 UTC",
        "2025-01-01T12:30:15.123456789",
        "20250101T123015.123456789Z",
    ],
)
def test_dates_as_libraries_write_them_mean_one_time(files: Files, written: str) -> None:
    _edit(files, 1, lambda document: document["captures"][0].update({"core:datetime": written}))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.time_utc is not None
    start_s = (
        observation.receptions[1].start_s + (observation.time_utc.minute * 60 + observation.time_utc.second) - 1815
    )
    assert start_s == pytest.approx(0.123456789, abs=1e-11)
    assert observation.receptions[1].receiver.clock_sigma_s == 5e-8


@pytest.mark.parametrize("written", ["1.1.2025 12:30", 1735734615.25, "2025-13-01T00:00:00Z", "noon"])
def test_a_date_that_may_mean_anything_costs_the_clock_and_says_how_to_write_it(files: Files, written: Any) -> None:
    _edit(files, 1, lambda document: document["captures"][0].update({"core:datetime": written}))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[1].receiver.clock_sigma_s is None
    assert any("write UTC with Z" in note for note in observation.notes)


@pytest.mark.parametrize(("start", "clock_sigma_s"), [(0, 5e-8), (100, None)])
def test_a_time_of_all_is_that_of_the_first_sample(files: Files, start: int, clock_sigma_s: float | None) -> None:
    """Where the first capture begins behind it, the time may be either's: there is no clock."""
    before = read_collection(COLLECTION, files, Limits()).receptions[1]

    def move(document: dict[str, Any]) -> None:
        document["global"]["core:datetime"] = document["captures"][0].pop("core:datetime")
        document["captures"][0]["core:sample_start"] = start

    _edit(files, 1, move)
    after = read_collection(COLLECTION, files, Limits()).receptions[1]
    assert after.receiver.clock_sigma_s == clock_sigma_s
    assert start or after.start_s == before.start_s


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ([8.5, 47.5], "core:geolocation [8.5, 47.5] is not used: write"),
        ("in the shed", "core:geolocation 'in the shed' is not used: write"),
        (None, "its gps:latitude and gps:longitude are not read as its position: write"),
    ],
)
def test_a_position_that_cannot_be_read_costs_its_receiver_alone(files: Files, written: object, note: str) -> None:
    """Two numbers may be either one first; keys of other extensions may be of another place."""
    for index in range(3):
        _edit(
            files,
            index,
            lambda d: d["global"].update({"core:geolocation": written, "gps:latitude": 47.5, "gps:longitude": 8.5}),
        )
    observation = read_collection(COLLECTION, files, Limits())
    assert all("no position" in str(each.flaw) for each in observation.receptions)
    assert any(note in each for each in observation.notes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d["global"].update({"core:sample_rate": "fast"}), "no recording in it can be read .*'fast'"),
        (lambda d: d["captures"][0].pop("core:frequency"), "no recording in it has a core:frequency"),
    ],
)
def test_what_is_wrong_with_all_recordings_is_said_as_it_is(files: Files, change: Any, why: str) -> None:
    for index in range(3):
        _edit(files, index, change)
    with pytest.raises(InputError, match=why):
        read_collection(COLLECTION, files, Limits())


def test_a_collection_without_recordings_is_said_to_name_none() -> None:
    content = b'{"collection": {"core:version": "1.2.0", "core:streams": []}}'
    with pytest.raises(InputError, match="names no recording"):
        read_collection(COLLECTION, {COLLECTION: content}, Limits())


def test_samples_in_a_file_of_another_name_are_read(files: Files) -> None:
    """A non-conforming dataset: its name, the bytes before its samples, and those after them."""
    before = read_collection(COLLECTION, files, Limits()).receptions[1].samples

    def change(document: dict[str, Any]) -> None:
        document["global"] |= {"core:dataset": "night.bin", "core:trailing_bytes": 3}
        document["global"].pop("core:sha512", None)
        document["captures"][0]["core:header_bytes"] = 44

    _edit(files, 1, change)
    files["night.bin"] = b"\1" * 44 + files.pop(_data_name(files, 1)) + b"end"
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[1].flaw is None
    np.testing.assert_array_equal(observation.receptions[1].samples, before)


def test_samples_of_one_file_of_several_count_from_its_own(files: Files) -> None:
    """All sample indices are absolute, by the standard, and `core:offset` is that of the file's first."""
    before = read_collection(COLLECTION, files, Limits()).receptions[1]

    def shift(document: dict[str, Any]) -> None:
        document["global"]["core:offset"] = 4096
        for segment in (*document["captures"], *document["annotations"]):
            segment["core:sample_start"] += 4096

    _edit(files, 1, shift)
    after = read_collection(COLLECTION, files, Limits()).receptions[1]
    assert (after.flaw, after.start_s) == (None, before.start_s)
    np.testing.assert_array_equal(after.samples, before.samples)


def test_a_digest_in_capitals_is_the_same(files: Files) -> None:
    _edit(
        files, 1, lambda document: document["global"].update({"core:sha512": document["global"]["core:sha512"].upper()})
    )
    assert _flaws(files) == [None] * 3


@pytest.mark.parametrize("label", ["cf64_le", "cf32_be"])
def test_a_wrong_label_is_found_without_annotations(files: Files, label: str) -> None:
    """Floats of wrongly typed bytes are no magnitudes that a receiver shows."""

    def change(document: dict[str, Any]) -> None:
        document["global"]["core:datatype"] = label
        document["annotations"].clear()

    _edit(files, 1, change)
    flaw = _flaws(files)[1]
    assert flaw == f"its samples make no sense as {label}: is it cf32_le?"


def test_an_empty_text_is_as_good_as_none(files: Files) -> None:
    """As a template leaves it."""
    _edit(files, 1, lambda document: document["global"].update({"core:sha512": "", "core:dataset": "", "core:hw": ""}))
    assert _flaws(files) == [None] * 3


def test_a_clock_that_nobody_stated_is_none_and_said(files: Files) -> None:
    """A missing key is not the same as a stated null: it is taken as no clock, with a note."""
    _edit(files, 1, lambda document: document["global"].pop("heimdall:clock_sigma_s"))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[1].receiver.clock_sigma_s is None
    assert any("heimdall:clock_sigma_s" in note for note in observation.notes)


def test_a_clock_without_a_start_time_is_none_and_said(files: Files) -> None:
    """Without the time of the first sample a good clock says nothing."""
    _edit(files, 1, lambda document: document["captures"][0].pop("core:datetime"))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[1].receiver.clock_sigma_s is None
    assert any("core:datetime" in note for note in observation.notes)


@pytest.mark.parametrize(
    ("written", "sigma_s", "noted"),
    [
        ("2025-01-01T12:30:15.377Z", 1e-3 / math.sqrt(12), True),
        ("2025-01-01T12:30:15.376543Z", 1e-6 / math.sqrt(12), True),
        ("2025-01-01T12:30:15.376543210Z", 5e-8, False),
        ("2025-01-01T12:30:15.000Z", 5e-8, False),
        ("2025-01-01T12:30:15Z", 5e-8, False),
    ],
)
def test_a_time_is_no_better_than_its_last_digit(files: Files, written: str, sigma_s: float, noted: bool) -> None:
    """A clock of 50 ns whose time is written in milliseconds is one of 0.3 ms; a start on the second is exact."""
    _edit(files, 1, lambda document: document["captures"][0].update({"core:datetime": written}))
    observation = read_collection(COLLECTION, files, Limits())
    found = observation.receptions[1].receiver.clock_sigma_s
    assert found == pytest.approx(sigma_s, rel=0.02)
    assert any("more coarsely than its clock" in note for note in observation.notes) == noted


@pytest.mark.parametrize("second", ["15.377", "15"])
def test_a_negative_clock_uncertainty_is_flagged_however_the_time_is_written(files: Files, second: str) -> None:
    """A time in milliseconds, which is added to what the clock has, does not make it positive."""

    def negate(document: dict[str, Any]) -> None:
        document["global"]["heimdall:clock_sigma_s"] = -1e-7
        document["captures"][0]["core:datetime"] = f"2025-01-01T12:30:{second}Z"

    _edit(files, 1, negate)
    assert _flaws(files)[:2] == [None, "its clock uncertainty of -1e-07 cannot be right"]


@pytest.mark.parametrize(
    ("coordinates", "sigma_m"), [([9, 46], 32_135), ([8.8, 46.5], 3213.5), ([8.798828, 46.499351], None)]
)
def test_the_decimals_of_a_position_say_how_well_it_is_known(
    files: Files, coordinates: list[float], sigma_m: float | None
) -> None:
    def move(document: dict[str, Any]) -> None:
        document["global"].pop("heimdall:position_sigma_m", None)
        document["global"]["core:geolocation"] = {"type": "Point", "coordinates": coordinates}

    _edit(files, 1, move)
    found = read_collection(COLLECTION, files, Limits()).receptions[1].receiver.position_sigma_m
    assert found == (None if sigma_m is None else pytest.approx(sigma_m, rel=0.01))


def test_numbers_written_as_strings_are_read_with_a_note(files: Files) -> None:
    def quote(document: dict[str, Any]) -> None:
        document["global"]["core:sample_rate"] = "16000"
        document["global"]["heimdall:clock_sigma_s"] = "5e-8"
        document["captures"][0]["core:frequency"] = "145500000.0"

    _edit(files, 1, quote)
    observation = read_collection(COLLECTION, files, Limits())
    second = observation.receptions[1]
    assert second.flaw is None
    assert second.receiver.clock_sigma_s == pytest.approx(5e-8)
    assert any("a string, is read as the number" in note for note in observation.notes)


def test_a_clock_that_is_no_number_is_said(files: Files) -> None:
    _edit(files, 1, lambda document: document["global"].update({"heimdall:clock_sigma_s": "GPS"}))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[1].receiver.clock_sigma_s is None
    assert any("is not a number" in note for note in observation.notes)


def test_one_recording_that_annotates_all_of_itself_does_not_widen_the_channel(files: Files) -> None:
    def widen(document: dict[str, Any]) -> None:
        annotation = {"core:sample_start": 0, "core:freq_lower_edge": 145.492e6, "core:freq_upper_edge": 145.508e6}
        document["annotations"] = [annotation]

    _edit(files, 1, widen)
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.bandwidth_hz == 4000
    assert any("4000 Hz is taken" in note for note in observation.notes)


def _annotate(files: Files, index: int, *edges_hz: tuple[float, float]) -> None:
    annotations = [
        {"core:sample_start": 0, "core:freq_lower_edge": low_hz, "core:freq_upper_edge": high_hz}
        for low_hz, high_hz in edges_hz
    ]
    _edit(files, index, lambda document: document.update(annotations=annotations))


def test_an_annotated_channel_beside_the_centre_is_the_one_located(files: Files) -> None:
    """Receivers are tuned beside the signal to keep it off their own line in the middle."""
    before = read_collection(COLLECTION, files, Limits())
    for index in range(3):
        _annotate(files, index, (145.5022e6, 145.5032e6))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.frequency_hz == pytest.approx(145.5027e6, abs=1e-3)
    assert observation.bandwidth_hz == pytest.approx(1000, abs=1e-3)
    assert any("145502700 Hz, where the receivers are tuned to 145500000 Hz" in note for note in observation.notes)
    for own, tuned in zip(before.receptions, observation.receptions, strict=True):
        assert own.samples is not None
        assert tuned.samples is not None
        offset, was = (np.fft.fftfreq(1024, 1 / 16_000), np.fft.fft(own.samples))
        moved = np.fft.fft(tuned.samples)
        centre = np.sum(np.abs(moved) ** 2 * offset) / np.sum(np.abs(moved) ** 2)
        assert centre == pytest.approx(np.sum(np.abs(was) ** 2 * offset) / np.sum(np.abs(was) ** 2) - 2700, abs=200)
        assert tuned.flaw is None


def test_receivers_tuned_apart_serve_as_long_as_they_hold_the_channel(files: Files) -> None:
    """Each drew the same signal where it saw it; the fourth part of a hertz and of a nanohertz are how drivers tune."""

    def tune(index: int, centre_hz: float) -> None:
        _edit(files, index, lambda d: d["captures"][0].update({"core:frequency": centre_hz}))

    tune(1, 145.5e6 + 2500.0)
    assert _flaws(files) == [None, None, None]
    first, second, third = read_collection(COLLECTION, files, Limits()).receptions
    assert all(each.samples is not None for each in (first, second, third))
    tune(1, 145.5e6 + 7000.0)
    assert _flaws(files)[1] == "it listened at 145507000 Hz: 145500000 Hz is outside the 16000 Hz that it recorded"
    tune(1, 145.5e6 + 1e-7)
    tune(2, 145.5e6 + 0.25)
    assert _flaws(files) == [None, None, None]


def test_a_frame_round_the_signal_is_not_the_channel(files: Files) -> None:
    for index in range(3):
        _annotate(files, index, (145.493e6, 145.507e6), (145.499e6, 145.501e6))
    observation = read_collection(COLLECTION, files, Limits())
    assert (observation.frequency_hz, observation.bandwidth_hz) == (145.5e6, 2000.0)
    assert any("2 channels, 2000 to 14000 Hz wide: 2000 Hz is taken" in note for note in observation.notes)


def test_of_two_annotated_signals_the_one_that_most_mark_is_located(files: Files) -> None:
    for index in range(3):
        _annotate(files, index, *[(145.4960e6, 145.4965e6)] * (index > 0), (145.502e6, 145.503e6))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.frequency_hz == pytest.approx(145.5025e6, abs=1e-3)
    assert any("annotations state 2 channels" in note for note in observation.notes)


_Marks = Sequence[tuple[int, int | None, float, float]]
"""First sample, count and edges in Hz from 145.5 MHz."""


@pytest.mark.parametrize(
    ("marks", "width_hz"),
    [
        ([(0, 10, 5000, 5500), (0, None, -2000, 2000)], 4000),
        ([(0, None, -2000, 2000), (500, 10, -100, 100)], 4000),
        ([(0, 1024, -2000, 2000), (0, 200, 4000, 4500)], 4000),
        ([(0, 100, -1000, 1000), (0, None, -7000, 7000), (300, 100, -1000, 1000)], 2000),
        ([(0, 10, -1000, 1000)], 2000),
        ([(1000, 24, 5000, 5500), (2000, None, -2000, 2000)], 500),
    ],
    ids=["spur beside", "spur within", "shorter signal", "bursts in a frame", "alone", "beyond the end"],
)
def test_the_annotation_that_lasts_states_the_channel(files: Files, marks: _Marks, width_hz: float) -> None:
    """A spur of a moment is marked by people and programs as the signal is, and narrower."""
    annotations = [
        {
            "core:sample_start": first,
            "core:freq_lower_edge": 145.5e6 + low_hz,
            "core:freq_upper_edge": 145.5e6 + high_hz,
        }
        | ({} if count is None else {"core:sample_count": count})
        for first, count, low_hz, high_hz in marks
    ]
    for index in range(3):
        _edit(files, index, lambda document: document.update(annotations=annotations))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.bandwidth_hz == pytest.approx(width_hz)
    assert any("annotations state 2 channels" in note for note in observation.notes) == (len(marks) > 1)


def test_captures_that_say_when_they_began_come_first(files: Files) -> None:
    _edit(files, 1, lambda document: document["captures"].append({"core:sample_start": 300, "core:frequency": 145.5e6}))
    second = read_collection(COLLECTION, files, Limits()).receptions[1]
    assert second.samples is not None
    assert len(second.samples) == 300
    assert second.receiver.clock_sigma_s is not None


def test_changed_metadata_are_noted(files: Files) -> None:
    """Metadata edited after the collection was made are used, and a note names them."""
    _edit(files, 1, lambda document: document["global"].update({"core:author": "x"}))
    observation = read_collection(COLLECTION, files, Limits())
    assert any("was changed after its collection" in note for note in observation.notes)
    assert observation.receptions[1].flaw is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["global"].pop("core:geolocation"), "no position"),
        (lambda d: d["global"].update({"core:geolocation": {"type": "Point", "coordinates": [0, 0]}}), r"(0, 0)"),
        (lambda d: d["captures"][0].pop("core:frequency"), "no core:frequency"),
        (lambda d: d["captures"][0].update({"core:frequency": 1e9}), "listened at 1000000000 Hz"),
        (lambda d: d["global"].pop("core:sample_rate"), "sample rate"),
        (lambda d: d["global"].update({"core:datatype": "rf32_le"}), "real"),
        (lambda d: d["global"].update({"core:num_channels": 2}), "several channels"),
        (lambda d: d["global"].update({"core:trailing_bytes": 8 * 24}), "data end after 1000 samples"),
        (lambda d: d["global"].update({"core:dataset": "../../other.iq"}), "in ../../other.iq, which is not beside it"),
        (lambda d: d["global"].update({"core:offset": 4096}), "not a plain row"),
        (lambda d: d["global"].update({"core:datatype": "cf64_le"}), "is it cf32_le?"),
        (lambda d: d["annotations"][0].update({"core:sample_count": 5000}), "data end after 1024 samples"),
        (lambda d: d.pop("captures"), "not SigMF"),
        (lambda d: d["global"].update({"core:sample_rate": "fast"}), "not SigMF"),
    ],
)
def test_a_recording_that_cannot_be_used_is_flagged(files: Files, change: Any, reason: str) -> None:
    """The receiver gets the reason, and the others stay."""
    _edit(files, 1, change)
    first, flaw, last = _flaws(files)
    assert (first, last) == (None, None)
    assert flaw is not None
    assert reason in flaw


def test_data_shorter_than_stated_are_flagged(files: Files) -> None:
    """A data file cut in half has fewer samples than its annotation and its digest say."""
    name = _data_name(files, 2)
    files[name] = files[name][: len(files[name]) // 2]
    assert _flaws(files)[2] == "its data end after 512 samples where its metadata say 1024"


@pytest.mark.parametrize("beyond", [1, 10])
def test_annotations_may_end_a_little_after_the_data(files: Files, beyond: int) -> None:
    _edit(files, 1, lambda d: d["annotations"][0].update({"core:sample_count": 1024 + beyond}))
    assert _flaws(files) == [None, None, None]


def test_damaged_data_are_flagged(files: Files) -> None:
    """One changed byte is found by the digest."""
    name = _data_name(files, 0)
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    assert "SHA-512" in str(_flaws(files)[0])


def test_missing_files_are_flagged(files: Files) -> None:
    """A stream without metadata, and one without data, are named."""
    del files[_data_name(files, 0)]
    del files[sorted(name for name in files if name.endswith("-meta"))[1]]
    first, second, third = _flaws(files)
    assert first == "its data file is missing"
    assert "is missing" in str(second)
    assert third is None


def test_samples_that_are_not_numbers_are_flagged(files: Files) -> None:
    """NaN in the data of one receiver costs that receiver."""
    name = _data_name(files, 1)
    files[name] = np.full(2, np.nan, "<f4").tobytes() + files[name][8:]
    digest = hashlib.sha512(files[name]).hexdigest()
    _edit(files, 1, lambda document: document["global"].update({"core:sha512": digest}))
    assert _flaws(files)[1] == "1 of its 1024 samples are not numbers"


def test_a_recording_beyond_the_limit_is_flagged(files: Files) -> None:
    """The limit of samples holds for each recording."""
    observation = read_collection(COLLECTION, files, Limits(samples=1000))
    assert all("more than the 1000 allowed" in str(reception.flaw) for reception in observation.receptions)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"collection": 3}', b'{"collection": {"core:streams": 3}}', b"\xff"]
)
def test_what_is_no_collection_is_refused(content: bytes) -> None:
    """The error names the file."""
    with pytest.raises(InputError, match=r"^x\.sigmf-collection"):
        read_collection("x.sigmf-collection", {"x.sigmf-collection": content}, Limits())


def test_stream_names_lead_nowhere_else() -> None:
    """A stream that points out of the session is a missing file, whatever lies there."""
    collection = {
        "collection": {"core:version": "1.2.6", "core:streams": [{"name": "../../etc/x"}, {"name": "/etc/y"}]}
    }
    with pytest.raises(InputError, match="no recording in it"):
        read_collection("x.sigmf-collection", {"x.sigmf-collection": json.dumps(collection).encode()}, Limits())


def test_integers_do_not_clip_silently(iq_session: Observation, tmp_path: Path) -> None:
    """Samples beyond 1 are refused for integer types, and the error says what to do."""
    loud = replace(iq_session.receptions[0], samples=np.full(100, 2, np.complex64))
    with pytest.raises(InputError, match="write cf32_le"):
        write_sigmf(replace(iq_session, receptions=(loud, loud)), tmp_path, Datatype.CI8)


def test_a_session_is_not_overwritten(iq_session: Observation, tmp_path: Path) -> None:
    """A second session of that name in the same folder is refused."""
    write_sigmf(iq_session, tmp_path)
    with pytest.raises(InputError, match="already there"):
        write_sigmf(iq_session, tmp_path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_damage_gives_an_observation_or_one_error(kept_files: Files, data: st.DataObject) -> None:
    """Files lost, cut or overwritten anywhere give an observation or InputError, never anything else."""
    files = dict(kept_files)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(files)))
        content = bytearray(files[name])
        if content:
            place = data.draw(st.integers(0, len(content) - 1))
            patch = data.draw(
                st.binary(min_size=1, max_size=6) | st.sampled_from([b"1e999", b"-7", b"null", b"[", b'"'])
            )
            content[place : place + len(patch)] = patch
        files[name] = bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    with contextlib.suppress(InputError):
        assert len(read_collection(COLLECTION, files, Limits()).receptions) <= 3


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_KEYS = {
    "global": [
        "core:datatype",
        "core:sample_rate",
        "core:geolocation",
        "core:num_channels",
        "core:offset",
        "core:sha512",
        "core:extensions",
        "heimdall:receiver",
        "heimdall:clock_sigma_s",
        "heimdall:level_sigma_db",
    ],
    "captures": ["core:sample_start", "core:frequency", "core:datetime", "core:geolocation", "core:header_bytes"],
    "annotations": ["core:sample_start", "core:sample_count", "core:freq_lower_edge", "core:freq_upper_edge"],
}


@settings(max_examples=150, deadline=None)
@given(data=st.data(), value=_JSON)
def test_any_value_under_any_key_is_survived(kept_files: Files, data: st.DataObject, value: Any) -> None:
    """Arbitrary JSON in place of a known value, of a section, or as an unknown section gives an observation or InputError."""
    files = dict(kept_files)
    section = data.draw(st.sampled_from(["global", "captures", "annotations", "whole"]))

    def change(document: dict[str, Any]) -> None:
        if section == "whole":
            document[data.draw(st.sampled_from(["global", "captures", "annotations", "other"]))] = value
            return
        segment = document[section] if section == "global" else document[section][0]
        segment[data.draw(st.sampled_from(_KEYS[section]))] = value

    _edit(files, data.draw(st.integers(0, 2)), change)
    with contextlib.suppress(InputError):
        assert len(read_collection(COLLECTION, files, Limits()).receptions) == 3


def _dated(files: Files, index: int, when: str) -> None:
    _edit(files, index, lambda document: document["captures"][0].update({"core:datetime": when}))


@pytest.mark.parametrize("odd", [0, 2])
@pytest.mark.parametrize("when", ["1970-01-01T00:00:00Z", "1987-06-05T04:03:02.25Z", "2031-01-01T00:00:00Z"])
def test_a_clock_of_another_year_does_not_move_the_session(files: Files, odd: int, when: str) -> None:
    """The others' times count from their own second: from another year they would have lost their digits."""
    before = read_collection(COLLECTION, files, Limits())
    _dated(files, odd, when)
    after = read_collection(COLLECTION, files, Limits())
    assert before.time_utc is not None
    assert after.time_utc is not None
    assert abs((after.time_utc - before.time_utc).total_seconds()) <= 1
    sound = [index for index in range(3) if index != odd]
    assert all(abs(after.receptions[index].start_s) < 2 for index in sound)
    assert abs(after.receptions[odd].start_s) > 1e8


def test_a_flagged_recording_does_not_set_the_time_of_the_session(files: Files) -> None:
    """Neither alone nor where two of them agree."""
    for index in (0, 1):
        _dated(files, index, "1970-01-01T00:00:00Z")
        _edit(files, index, lambda document: document["global"].pop("core:geolocation"))
    time_utc = read_collection(COLLECTION, files, Limits()).time_utc
    assert time_utc is not None
    assert time_utc.year == 2025


@pytest.mark.parametrize("version", ["1.1", "v2", 1, "", ["1.0.0"], True])
def test_a_version_that_is_none_is_passed_over(files: Files, version: object) -> None:
    """The schema requires one; locating does not, and what stands there costs nobody."""
    _edit(files, 1, lambda document: document["global"].update({"core:version": version}))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[1].flaw is None
    assert any(note.endswith("its core:version is not SigMF and is not used") for note in observation.notes)


@pytest.mark.parametrize("key", ["core:version", "core:description", "core:sha512", "core:num_channels"])
def test_a_null_is_as_if_it_were_not_there(files: Files, key: str) -> None:
    _edit(files, 0, lambda document: document["global"].update({key: None}))
    assert _flaws(files) == [None, None, None]


def test_a_null_place_leaves_the_other_one(files: Files) -> None:
    """Of the whole recording and of its capture."""

    def change(document: dict[str, Any]) -> None:
        document["captures"][0]["core:geolocation"] = document["global"]["core:geolocation"]
        document["global"]["core:geolocation"] = None

    before = read_collection(COLLECTION, files, Limits())
    for index in range(3):
        _edit(files, index, change)
    after = read_collection(COLLECTION, files, Limits())
    assert [each.flaw for each in after.receptions] == [None, None, None]
    assert [each.receiver for each in after.receptions] == [each.receiver for each in before.receptions]


def test_a_null_time_is_no_time(files: Files) -> None:
    _edit(files, 2, lambda document: document["captures"][0].update({"core:datetime": None}))
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.receptions[2].flaw is None
    assert observation.receptions[2].receiver.clock_sigma_s is None
    assert any("has no readable core:datetime" in note for note in observation.notes)


def test_the_first_year_is_a_time(files: Files) -> None:
    """Some libraries write it where they know none."""
    _dated(files, 2, "0001-01-01T00:00:00Z")
    assert read_collection(COLLECTION, files, Limits()).receptions[2].flaw is None


def test_a_text_of_another_form_is_said_without_the_pattern(files: Files) -> None:
    _edit(files, 0, lambda document: document["global"].update({"core:datatype": "float32"}))
    flaw = _flaws(files)[0]
    assert flaw == "its metadata are not SigMF: core:datatype: 'float32' does not have its form"


@pytest.mark.parametrize(("size_hz", "unit"), [(1e3, "kHz"), (1e6, "MHz"), (1e9, "GHz")])
@pytest.mark.parametrize("single", [False, True])
def test_edges_in_another_unit_are_read_in_it(files: Files, size_hz: float, unit: str, single: bool) -> None:
    """They equal the centre in that unit; as offsets they would have been a channel of next to nothing."""

    def change(document: dict[str, Any]) -> None:
        edges = {"core:freq_lower_edge": 145.4985e6 / size_hz, "core:freq_upper_edge": 145.5015e6 / size_hz}
        if single:
            del edges["core:freq_lower_edge"]
        document["annotations"][0] = {"core:sample_start": 0, **edges}

    for index in range(3):
        _edit(files, index, change)
    observation = read_collection(COLLECTION, files, Limits())
    assert observation.bandwidth_hz == pytest.approx(3000)
    assert observation.frequency_hz == pytest.approx(145.5e6)
    assert any(f"the edges of its annotations are read as {unit}" in note for note in observation.notes)


@pytest.mark.parametrize(("frequency_hz", "placed"), [(145.5, True), (145.5, False), (145.5003e6, False)])
def test_a_flagged_recording_is_not_said_to_be_shifted(files: Files, frequency_hz: float, placed: bool) -> None:
    """Neither for its tuning nor for another fault."""
    _edit(files, 1, lambda document: document["captures"][0].update({"core:frequency": frequency_hz}))
    if not placed:
        _edit(files, 1, lambda document: document["global"].pop("core:geolocation"))
    observation = read_collection(COLLECTION, files, Limits())
    assert [reception.flaw is None for reception in observation.receptions] == [True, False, True]
    assert not any("shifted" in note for note in observation.notes)


@pytest.mark.parametrize("digest", ["right", "wrong", None])
def test_recording_tuples_are_read_as_objects(files: Files, digest: str | None) -> None:
    """The standard permits them until its version 2.0."""
    document = json.loads(files[COLLECTION])
    streams = document["collection"]["core:streams"]
    document["collection"]["core:streams"] = [
        [each["name"], *([] if digest is None else [each["hash"] if digest == "right" else "00" * 64])]
        for each in streams
    ]
    files[COLLECTION] = json.dumps(document).encode()
    observation = read_collection(COLLECTION, files, Limits())
    assert [each.flaw for each in observation.receptions] == [None] * 3
    assert any("was changed after its collection" in note for note in observation.notes) == (digest == "wrong")


@pytest.mark.parametrize("written", ["./{}", "././{}", "{}.sigmf-data", "./{}.sigmf-meta", "{}.SIGMF-META"])
def test_a_collection_may_name_a_recording_by_one_of_its_files(files: Files, written: str) -> None:
    document = json.loads(files[COLLECTION])
    for stream in document["collection"]["core:streams"]:
        stream["name"] = written.format(stream["name"])
    files[COLLECTION] = json.dumps(document).encode()
    observation = read_collection(COLLECTION, files, Limits())
    assert [(each.receiver.name, each.flaw) for each in observation.receptions] == [
        (f"R{index} ü", None) for index in range(3)
    ]


def test_frequencies_that_cannot_be_right_are_said_as_they_are(files: Files) -> None:
    """They are there: that they are missing would not be true."""
    for index, frequency_hz in enumerate((0, 0, -5)):
        change = {"core:frequency": frequency_hz}
        _edit(files, index, lambda document, change=change: document["captures"][0].update(change))  # type: ignore[misc]
    with pytest.raises(InputError, match="core:frequency that can be right, but 0 Hz, -5 Hz: write"):
        read_collection(COLLECTION, files, Limits())
