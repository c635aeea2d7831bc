"""Measurement files: what is written is read again, and a bad line is named."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdall.errors import InputError, TooLargeError
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.measurements import iterate_measurements, measurements_text, read_measurements
from heimdall.formats.readers.source import plain_lines
from heimdall.observation import NOT_READ, Observation, Place, Receiver, Reception


def _row(**changes: Any) -> dict[str, Any]:
    measurements = [
        {
            "receiver": "a",
            "latitude_deg": 47.0,
            "longitude_deg": 8.0,
            "height_m": 400.0,
            "toa_s": 0.001,
            "clock_sigma_s": 5e-8,
        },
        {"receiver": "b", "latitude_deg": 48.0, "longitude_deg": 9.0, "height_m": 500.0, "rssi_dbm": -80.5},
    ]
    return {"id": "m1", "frequency_hz": 1090e6, "bandwidth_hz": 2e6, "measurements": measurements, **changes}


def _lines(*rows: dict[str, Any] | str) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def _unread(observations: list[Observation]) -> list[tuple[str, str]]:
    """Who says what of lines that are not read."""
    return [(each.id, note) for each in observations for note in each.notes if note.startswith(NOT_READ)]


def test_a_line_of_the_contract_is_read() -> None:
    """Every key of the contract finds its place."""
    row = _row(time_utc="2022-11-23T13:24:40Z", height_m=9000.0, truth={"latitude_deg": 47.5, "longitude_deg": 8.5})
    (observation,) = read_measurements("x.jsonl", _lines(row))
    assert observation.time_utc == datetime(2022, 11, 23, 13, 24, 40, tzinfo=UTC)
    assert observation.transmitter_height_m == 9000
    assert observation.truth == Place(47.5, 8.5, None)
    first, second = observation.receptions
    assert first.receiver == Receiver("a", 47.0, 8.0, 400.0, 5e-8)
    assert (first.toa_s, first.rssi_dbm) == (0.001, None)
    assert (second.toa_s, second.rssi_dbm, second.receiver.clock_sigma_s) == (None, -80.5, None)


def test_empty_lines_are_skipped_and_order_is_kept() -> None:
    """Observations come in the order of the lines."""
    read = read_measurements("x.jsonl", _lines(_row(id="1"), "", _row(id="2"), ""))
    assert [observation.id for observation in read] == ["1", "2"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{'id': 1}", "Invalid JSON"),
        ("[1, 2]", "object"),
        (_row(frequency_hz=0), "frequency_hz"),
        (_row(bandwidth_hz=None), "bandwidth_hz"),
        (_row(truth={"latitude_deg": 91, "longitude_deg": 0}), "truth.latitude_deg"),
        (
            _row(measurements=[{"receiver": "a", "latitude_deg": "north", "longitude_deg": 1}]),
            "measurements.0.latitude_deg",
        ),
        (_row(frequency=1), r"frequency is not a known field: did you mean frequency_hz, in Hz\?"),
        (_row(colour=1), "colour is not a known field; known are id, time_utc, frequency_hz.*, measurements, truth$"),
        (
            _row(measurements=[{**each, "altitude": 9} for each in _row()["measurements"]]),
            r"altitude is not a known field: did you mean height_m, in metres\?$",
        ),
        (
            {"time": "2025-05-01T12:00:00Z", "rxInfo": []},
            r"time is not a known field: did you mean time_utc\?$",
        ),
        (_row(time="noon"), r"time is not a known field: did you mean time_utc\?$"),
        (_row(frequency_hz="433 MHz"), "frequency_hz must be a number, not '433 MHz'; what is unknown is null"),
        (
            _row(measurements=[{"receiver": "a", "lat": 46.1, "lon": 8.5, "toa_s": 0}]),
            r"measurements.0.lat is not a known field: did you mean latitude_deg, in degrees",
        ),
        (_row(measurements=_row()["measurements"][:1]), "at least 2"),
    ],
)
def test_a_bad_line_is_named(bad: dict[str, Any] | str, reason: str) -> None:
    """With the file, the number of the line and the key."""
    with pytest.raises(InputError, match=rf"^x.jsonl line 2: .*{reason}"):
        read_measurements("x.jsonl", _lines("", bad))


def test_a_document_that_cannot_be_read_is_told_by_the_line_of_the_mistake() -> None:
    """And not by its first line, which is a bracket."""
    lines = json.dumps([_row()], indent=1).splitlines()
    at = next(index for index, line in enumerate(lines) if '"latitude_deg"' in line)
    unparted = [*lines[:at], lines[at].rstrip(","), *lines[at + 1 :]]
    for text, line in (("\n".join(unparted), at + 2), ('{\n\n"id": 1,\n', 3), ("[\n{", 2)):
        with pytest.raises(InputError, match=rf"^x\.json line {line}: .*: the JSON document cannot be read$"):
            read_measurements("x.json", text.encode())


def test_lines_between_brackets_are_read_as_lines() -> None:
    """Without commas they are no array."""
    first, second = read_measurements("x.json", _lines("[", _row(), _row(id="m2"), "]"))
    assert (first.id, second.id) == ("m1", "m2")


@pytest.mark.parametrize("written", ["", "-", "NA", "n/a", "None", " null "])
def test_words_for_no_value_are_null(written: str) -> None:
    """As programs export what is missing; a receiver may be called so."""
    first, *others = _row()["measurements"]
    row = _row(height_m=written, time_utc=written, measurements=[{**first, "rssi_dbm": written}, *others])
    (observation,) = read_measurements("x.jsonl", _lines(row))
    assert (observation.transmitter_height_m, observation.time_utc) == (None, None)
    assert (observation.receptions[0].rssi_dbm, observation.receptions[0].flaw) == (None, None)
    assert observation.receptions[0].toa_s is not None
    (named,) = read_measurements("x.jsonl", _lines(_row(measurements=[{**first, "receiver": "NA"}, *others])))
    assert named.receptions[0].receiver.name == "NA"


def test_receivers_may_be_numbered() -> None:
    numbered = [{**each, "receiver": number} for number, each in enumerate(_row()["measurements"])]
    (observation,) = read_measurements("x.jsonl", _lines(_row(measurements=numbered)))
    assert [each.receiver.name for each in observation.receptions] == ["0", "1"]


@pytest.mark.parametrize("written", [20250501, 45778.5, 0, -1, "20250501", " 45778.5"])
def test_a_number_that_counts_no_seconds_since_1970_is_no_time(written: float | str) -> None:
    """The digits of a date, or the days of a spreadsheet, would be an evening of 1970."""
    (observation,) = read_measurements("x.jsonl", _lines(_row(time_utc=written)))
    assert observation.time_utc is None
    assert any("is not read: write UTC with Z" in note for note in observation.notes)


@pytest.mark.parametrize(("per_s", "unit"), [(10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")])
def test_times_since_1970_in_another_unit_are_asked_about(per_s: int, unit: str) -> None:
    first, *others = _row()["measurements"]
    row = _row(measurements=[{**first, "toa_s": 1746100800 * per_s}, *others])
    (observation,) = read_measurements("x.jsonl", _lines(row))
    assert str(observation.receptions[0].flaw).endswith(f"is it in {unit}? Arrival times count in seconds")


@pytest.mark.parametrize("bad", [1, 2, 3, 4])
def test_a_bad_line_costs_itself_alone(bad: int) -> None:
    """The next observation says so, or the last."""
    rows = [_row(id=str(each), **({"frequency_hz": 0} if each == bad else {})) for each in (1, 2, 3, 4)]
    read = read_measurements("x.jsonl", _lines(*rows))
    assert [each.id for each in read] == [str(each) for each in (1, 2, 3, 4) if each != bad]
    ((teller, note),) = _unread(read)
    assert teller == str(bad + 1 if bad < 4 else 3)
    assert note.startswith(f"{NOT_READ}x.jsonl line {bad}: frequency_hz")


def test_of_many_bad_lines_some_are_told_and_the_rest_counted() -> None:
    rows = [_row(frequency_hz=0) if each % 2 else _row(id=str(each)) for each in range(60)]
    notes = [note for _, note in _unread(read_measurements("x.jsonl", _lines(*rows)))]
    assert [note.split(":")[1].strip() for note in notes[:-1]] == [f"x.jsonl line {each}" for each in range(2, 21, 2)]
    assert notes[-1] == f"{NOT_READ}20 more"


def test_the_line_that_a_killed_logger_left_unfinished_costs_itself_alone() -> None:
    whole = _lines(_row(id="1"), _row(id="2"))
    read = read_measurements("x.jsonl", whole[:-30])
    assert [each.id for each in read] == ["1"]
    assert _unread(read)[0][1].startswith(f"{NOT_READ}x.jsonl line 2: Invalid JSON: EOF")


def test_what_is_left_of_a_damaged_file_is_read() -> None:
    """A compressed file that was cut short: what could be unpacked."""
    chance = np.random.default_rng(0)
    rows = _lines(*(_row(id=str(each), height_m=chance.uniform(0, 9000)) for each in range(2000)))
    packed = gzip.compress(rows)
    lines = plain_lines("x.jsonl.gz", io.BytesIO(packed[: len(packed) // 2]), Limits())
    read = list(iterate_measurements("x.jsonl.gz", lines))
    assert [each.id for each in read] == [str(each) for each in range(len(read))]
    assert 500 < len(read) < 1500
    ((teller, note),) = _unread(read)
    assert teller == read[-1].id
    assert "cannot be unpacked" in note


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("array", [True, False])
def test_a_document_with_all_observations_is_read(encoding: str, indent: int | None, array: bool) -> None:
    """An array, or objects over several lines, in the order they have there; UNIX times keep all their digits."""
    rows = [_row(id=each) for each in ("één", "2", "3")]
    rows[0]["measurements"][0]["toa_s"] = "LATE"
    rows[0]["measurements"][1] |= {"toa_s": "LATER", "clock_sigma_s": 1e-8}
    text = json.dumps(rows, indent=indent) if array else "\n".join(json.dumps(row, indent=indent) for row in rows)
    text = text.replace('"LATE"', "1700000000.123456789").replace('"LATER"', "1700000000.123456999")
    read = read_measurements("x.json", text.encode(encoding))
    assert [observation.id for observation in read] == ["één", "2", "3"]
    assert read[0].receptions[0].toa_s == 0.123456789
    assert read[0].receptions[1].toa_s == 0.123456999


def test_a_bad_observation_of_a_document_is_named() -> None:
    (read,) = read_measurements("x.json", json.dumps([_row(), _row(frequency_hz=0)], indent=1).encode())
    assert _unread([read])[0][1].startswith(f"{NOT_READ}x.json observation 2: frequency_hz")


@pytest.mark.parametrize("text", ['[{"id": 1}', '[{"id": 1}, 5]', '{"id": 1},\n{"id": 2}'])
def test_what_is_neither_lines_nor_a_document_says_how_to_write_it(text: str) -> None:
    with pytest.raises(InputError, match=r"^x.json line 1: .*object"):
        read_measurements("x.json", text.encode())


def test_an_empty_file_is_refused() -> None:
    """No measurement is an error, not an empty answer."""
    with pytest.raises(InputError, match="contains no measurement"):
        read_measurements("x.jsonl", b"\n\n")


def test_more_lines_than_the_limit_are_refused() -> None:
    """The limit of rows holds."""
    with pytest.raises(TooLargeError, match="more than 2 lines"):
        read_measurements("x.jsonl", _lines(_row(), _row(), _row()), Limits(rows=2))


def test_iq_does_not_go_into_a_table() -> None:
    """An observation with samples is for SigMF."""
    reception = Reception(Receiver("a", 1, 2), samples=np.zeros(99, np.complex64), sample_rate_hz=1.0)
    with pytest.raises(InputError, match="SigMF"):
        measurements_text([Observation("x", 1e6, 1e3, (reception, reception))])


_finite = st.floats(-1e3, 1e3)
_power = st.floats(-400, -1e-3)


def test_a_place_that_is_coarse_among_fine_ones_was_rounded() -> None:
    """Where all places have few digits, they are meant exactly."""
    places = [(46.499351, 8.798828), (51.529512, 9.935814), (52.2, 6.1)]
    for fine, sigma_m in ((True, pytest.approx(3213.5, rel=0.01)), (False, None)):
        rows = [
            {"receiver": f"r{index}", "latitude_deg": a if fine else round(a), "longitude_deg": b, "rssi_dbm": -80}
            for index, (a, b) in enumerate(places if fine else [(47, 8), (48, 9), (52.2, 6.1)])
        ]
        line = json.dumps({"id": "x", "frequency_hz": 1e8, "bandwidth_hz": 1e4, "measurements": rows})
        (read,) = read_measurements("x.jsonl", line.encode())
        assert read.receptions[2].receiver.position_sigma_m == sigma_m
        assert read.receptions[0].receiver.position_sigma_m is None


@pytest.mark.parametrize(
    ("digits", "clock_sigma_s", "sigma_m", "noted"),
    [
        (2, 1e-7, None, True),
        (2, 1e-4, None, False),
        (4, 1e-7, None, False),
        (2, 1e-7, 0.0, False),
        (1, 1e-6, None, True),
    ],
)
def test_places_with_few_digits_and_good_clocks_are_worth_a_word(
    digits: int, clock_sigma_s: float, sigma_m: float | None, noted: bool
) -> None:
    """Positions rounded to 2 decimals are wrong by more than clocks of 100 ns, and a region cannot know that."""
    rows = [
        {
            "receiver": f"r{index}",
            "latitude_deg": round(46.123456 + index / 7, digits),
            "longitude_deg": round(8.98765, digits),
        }
        | {"toa_s": 0.0, "clock_sigma_s": clock_sigma_s, "position_sigma_m": sigma_m}
        for index in range(3)
    ]
    line = json.dumps({"id": "x", "frequency_hz": 1e8, "bandwidth_hz": 1e4, "measurements": rows})
    (read,) = read_measurements("x.jsonl", line.encode())
    assert any("set position_sigma_m" in note for note in read.notes) == noted


def test_what_is_no_place_was_not_rounded() -> None:
    """Integers of ten-millionths of a degree are no places to some 30 km."""
    rows = [
        {"receiver": f"r{index}", "latitude_deg": 469_280_762 + index * 10**6, "longitude_deg": 78_684_890}
        | {"toa_s": 1e-5 * index, "clock_sigma_s": 1e-7}
        for index in range(3)
    ]
    line = json.dumps({"id": "x", "frequency_hz": 1e8, "bandwidth_hz": 1e4, "measurements": rows})
    (read,) = read_measurements("x.jsonl", line.encode())
    assert not any("position_sigma_m" in note for note in read.notes)
    assert all(each.receiver.position_sigma_m is None for each in read.receptions)


_sigma = st.none() | st.floats(1e-12, 10)
_receptions = st.lists(
    st.builds(
        lambda latitude, longitude, height, clock, toa, rssi, sigma: (
            Receiver("", latitude, longitude, height, clock),
            {"toa_s": toa, "rssi_dbm": rssi, "rssi_sigma_db": sigma},
        ),
        st.floats(-90, 90),
        st.floats(-180, 180),
        st.floats(-100, 9000),
        _sigma,
        st.none() | _finite,
        st.none() | _power,
        _sigma,
    ),
    min_size=2,
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(
    made=_receptions,
    name=st.text(max_size=20),
    time=st.none() | st.datetimes(timezones=st.just(UTC)),
    height=st.none() | st.floats(-1000, 100_000),
)
def test_what_is_written_is_read_again(made: Any, name: str, time: datetime | None, height: float | None) -> None:
    """Reading what was written gives the same numbers to the last bit."""
    receptions = tuple(
        Reception(Receiver(f"r{index}é\n", *list(vars(receiver).values())[1:]), **measured)
        for index, (receiver, measured) in enumerate(made)
    )
    written = Observation(name, 462.7e6, 12.5e3, receptions, time, height, Place(1.5, 2.5, None))
    (read,) = read_measurements("x.jsonl", measurements_text([written]).encode())
    assert (read.id, read.time_utc, read.transmitter_height_m, read.truth) == (name, time, height, written.truth)
    for before, after in zip(receptions, read.receptions, strict=True):
        assert after.receiver == before.receiver
        assert (after.toa_s, after.rssi_dbm, after.rssi_sigma_db) == (
            before.toa_s,
            before.rssi_dbm,
            before.rssi_sigma_db,
        )


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_damage_gives_observations_or_one_error(data: st.DataObject) -> None:
    """A damaged file is read or refused with InputError, never anything else."""
    content = bytearray(_lines(_row(), _row(id="m2")))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=8) | st.sampled_from([b"NaN", b"-1", b"1e999", b"null", b"}"]))
        content[place : place + len(patch)] = patch
    with contextlib.suppress(InputError):
        read = read_measurements("x.jsonl", bytes(content[: data.draw(st.integers(0, len(content)))]))
        assert all(len(observation.receptions) == 2 for observation in read)


def test_numbers_that_are_none_flag_their_receiver() -> None:
    """NaN in one measurement costs that receiver, not the file."""
    row = _row()
    row["measurements"][0]["toa_s"] = math.nan
    (observation,) = read_measurements("x.jsonl", _lines(row))
    assert [reception.flaw for reception in observation.receptions] == ["its arrival time is not a number", None]


def _timed(*toa: Any) -> dict[str, Any]:
    places = ((47.0, 8.0), (48.0, 9.0), (47.5, 9.5), (48.2, 8.1))
    return _row(
        measurements=[
            {"receiver": f"r{index}", "latitude_deg": a, "longitude_deg": b, "toa_s": each, "clock_sigma_s": 5e-8}
            for index, ((a, b), each) in enumerate(zip(places, toa, strict=False))
        ]
    )


def test_unix_times_keep_every_digit() -> None:
    """Of nanoseconds in a time of 2022 a float keeps 240: they come from the text, less a common whole second."""
    text = json.dumps(_timed(1.0, 2.0, 3.0, None))
    for index, digits in enumerate(("1664110830.999999900", "1664110831.000123457", "1664110831.000000001")):
        text = text.replace(f'"toa_s": {index + 1}.0', f'"toa_s": {digits}')
    (observation,) = read_measurements("x.jsonl", text.encode())
    first, second, third = (reception.toa_s or 0.0 for reception in observation.receptions[:3])
    assert second - first == pytest.approx(123.557e-6, abs=1e-13)
    assert third - first == pytest.approx(101e-9, abs=1e-13)
    assert observation.receptions[3].toa_s is None
    assert abs(second) < 10


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2017-01-01 05:29:60.25+05:30", datetime(2017, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("2024-05-01T12:00:00+02:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T12:00:00", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_leap_second_and_any_zone_are_read(written: str | None, read: datetime | None) -> None:
    (observation,) = read_measurements("x.jsonl", _lines({**_row(), "time_utc": written}))
    assert observation.time_utc == read
    assert not any("time_utc" in note for note in observation.notes)


@pytest.mark.parametrize(
    "written",
    ["01.05.2024 12:00:00", "yesterday", "", True, [2024], "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60Z", 1e30],
)
def test_a_time_that_cannot_be_read_costs_a_note_and_not_the_row(written: object) -> None:
    (observation,) = read_measurements("x.jsonl", _lines({**_row(), "time_utc": written}))
    assert observation.time_utc is None
    assert [note for note in observation.notes if note.startswith("its time_utc ") and "is not read: write UTC" in note]


def test_times_near_their_origin_are_left_alone() -> None:
    (observation,) = read_measurements("x.jsonl", _lines(_timed(1.25, -3.5, 999.0)))
    assert [reception.toa_s for reception in observation.receptions] == [1.25, -3.5, 999.0]


def test_a_height_that_nobody_knows_may_be_null() -> None:
    row = _row()
    row["measurements"][0]["height_m"] = None
    (observation,) = read_measurements("x.jsonl", _lines(row))
    assert observation.receptions[0].receiver.height_m == 0
    assert observation.receptions[0].flaw is None


@pytest.mark.parametrize(
    ("key", "value", "flaw"),
    [
        ("rssi_dbm", 1e200, "received power of 1e+200 dBm"),
        ("rssi_dbm", -1e300, "received power"),
        ("rssi_sigma_db", 1e200, "power uncertainty"),
        ("clock_sigma_s", 1e300, "clock uncertainty"),
        ("toa_s", 1e250, "arrival time of 1e+250 s"),
        ("height_m", 1e120, "height"),
        ("position_sigma_m", 1e150, "position uncertainty"),
        ("position_sigma_m", -1, "position uncertainty"),
    ],
)
def test_absurd_numbers_flag_their_receiver(key: str, value: float, flaw: str) -> None:
    row = _row()
    row["measurements"][0][key] = value
    (observation,) = read_measurements("x.jsonl", _lines(row))
    assert flaw in str(observation.receptions[0].flaw)
    assert observation.receptions[1].flaw is None


@pytest.mark.parametrize("key", ["frequency_hz", "bandwidth_hz", "height_m"])
def test_absurd_numbers_of_a_row_are_refused_in_words(key: str) -> None:
    with pytest.raises(InputError, match="cannot be right"):
        read_measurements("x.jsonl", _lines(_row(**{key: 1e200})))


@pytest.mark.real
def test_a_real_message_keeps_its_nanoseconds(real_data: Path) -> None:
    """Differences of LocaRDS arrival times survive the file to a hundredth of a nanosecond."""
    line = (real_data / "locards_toa" / "set_1.csv").read_text().splitlines()[1]
    stamps_ns = [stamp for _, stamp, _ in json.loads(line.partition('"')[2].rstrip('"'))]
    origin_ns = min(stamps_ns)
    receptions = tuple(
        Reception(Receiver(str(index), 47 + index, 8, 0, 5e-8), toa_s=(stamp - origin_ns) / 1e9)
        for index, stamp in enumerate(stamps_ns)
    )
    text = measurements_text([Observation("x", 1090e6, 2e6, receptions)])
    (read,) = read_measurements("x.jsonl", text.encode())
    back_ns = [1e9 * (reception.toa_s or 0.0) + origin_ns for reception in read.receptions]
    np.testing.assert_allclose(back_ns, stamps_ns, rtol=0, atol=0.01)


@pytest.mark.parametrize("twice", ['"toa_s": 0.25, "toa_s": 0.001', '"frequency_hz": 7e6, "frequency_hz": 150e6'])
def test_a_key_that_is_stated_twice_is_refused(twice: str) -> None:
    """The later value would win without a word; the same value twice says nothing wrong."""
    key = twice.partition(":")[0]
    text = json.dumps(_row())
    value = text.partition(f"{key}: ")[2].partition(",")[0]
    with pytest.raises(InputError, match=f"x.jsonl line 1: {key.strip(chr(34))} is stated twice"):
        read_measurements("x.jsonl", text.replace(f"{key}: {value}", twice, 1).encode())
    same = text.replace(f"{key}: {value}", f"{key}: {value}, {key}: {value}", 1)
    assert read_measurements("x.jsonl", same.encode())[0].frequency_hz == 1090e6


def test_true_is_no_number() -> None:
    row = _row()
    row["measurements"][0]["toa_s"] = True
    with pytest.raises(InputError, match=r"measurements\.0\.toa_s: true and false are no values of it"):
        read_measurements("x.jsonl", _lines(row))


def test_a_receiver_has_one_spelling() -> None:
    """Accents typed in two ways, or a blank behind a name, do not make two receivers of one."""
    row = _row()
    for measurement, name in zip(row["measurements"], ("Zu\u0308rich", "Z\u00fcrich "), strict=True):
        measurement["receiver"] = name
    first, second = read_measurements("x.jsonl", _lines(row))[0].receptions
    assert (first.receiver.name, second.receiver.name) == ("Z\u00fcrich", "Z\u00fcrich ")
    assert "a receiver named Z\u00fcrich is already there" in str(second.flaw)


@pytest.mark.parametrize("name", ["", " "])
def test_a_receiver_has_a_name(name: str) -> None:
    row = _row()
    row["measurements"][0]["receiver"] = name
    with pytest.raises(InputError, match="a receiver needs a name"):
        read_measurements("x.jsonl", _lines(row))


def test_digits_that_are_coarser_than_clocks_are_kept_in_mind() -> None:
    """Times to 10 us say nothing of 50 ns, whatever the clock does; one time with few digits among others may be their origin."""
    (coarse,) = read_measurements("x.jsonl", _lines(_timed(0.25013, 0.2501, 0.25)))
    assert [each.toa_step_s for each in coarse.receptions] == [pytest.approx(1e-5)] * 3
    assert any("the arrival times are written to 1e-05 s" in note for note in coarse.notes)
    (fine,) = read_measurements("x.jsonl", _lines(_timed(0.250131234, 0.0, 0.25)))
    assert [each.toa_step_s for each in fine.receptions] == [None] * 3
    assert not any("the arrival times are written" in note for note in fine.notes)


@pytest.mark.parametrize("clock_sigma_s", [0, 1e-25, 5e-8])
def test_digits_that_no_clock_has_are_not_too_few(clock_sigma_s: float) -> None:
    """A double written out has up to twenty places: beyond a picosecond they leave nothing open."""
    row = _timed(4.7385756349949855e-05, 5.467006356998725e-05, 3.618591812934329e-05)
    for each in row["measurements"]:
        each["clock_sigma_s"] = clock_sigma_s
    (observation,) = read_measurements("x.jsonl", _lines(row))
    assert [each.toa_step_s for each in observation.receptions] == [None] * 3
    assert not any("more coarsely" in note for note in observation.notes)


def test_some_times_may_have_fewer_digits_than_others() -> None:
    """As of two makes of receivers in one network. A time that two share is their origin, or means none."""
    (mixed,) = read_measurements("x.jsonl", _lines(_timed(0.250131234, 0.25017, 0.250119876, 0.2502)))
    assert [each.toa_step_s for each in mixed.receptions] == [None, pytest.approx(1e-5), None, pytest.approx(1e-5)]
    assert any("written to 1e-05 s, more coarsely than the clocks of r1, r3 run" in note for note in mixed.notes)
    (shared,) = read_measurements("x.jsonl", _lines(_timed(0.250131234, 0.25, 0.250119876, 0.25)))
    assert [each.toa_step_s for each in shared.receptions] == [None] * 4


@pytest.mark.parametrize("origin", ["0.00E+00", "1.00E-05"])
def test_times_with_as_many_digits_whatever_their_size_are_rounded_to_their_own(origin: str) -> None:
    """As spreadsheets show small numbers. A large time is then coarser than a small one, which the last digit of all hides."""
    row = _timed(*[0.0] * 4)
    for each, written in zip(row["measurements"], (origin, "3.06E-04", "1.90E-03", "5.93E-05"), strict=True):
        each["toa_s"] = written
    (read,) = read_measurements("x.jsonl", _lines(row))
    steps_s = [each.toa_step_s for each in read.receptions]
    assert steps_s[1:] == [pytest.approx(1e-6), pytest.approx(1e-5), None]
    assert any("written to 1e-05 s" in note for note in read.notes)


def test_times_with_as_many_places_behind_the_point_are_not_taken_for_that() -> None:
    (read,) = read_measurements("x.jsonl", _lines(_timed(0.000306128, 0.001901351, 0.000059308)))
    assert [each.toa_step_s for each in read.receptions] == [None] * 3


def test_a_number_beyond_every_exponent_is_no_error_of_ours() -> None:
    text = json.dumps(_row()).replace('"toa_s": 0.001', f'"toa_s": 1e-{10**20}')
    (observation,) = read_measurements("x.jsonl", text.encode())
    assert observation.receptions[0].toa_s == 0


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le"])
def test_another_encoding_is_called_so(encoding: str) -> None:
    """As spreadsheets save names with umlauts, and some shells everything."""
    text = json.dumps(_row(id="Zürich"), ensure_ascii=False)
    with pytest.raises(InputError, match=r"x\.jsonl line 1: it is not written in UTF-8: save the file as UTF-8"):
        read_measurements("x.jsonl", text.encode(encoding))
