"""Tables of measurements: as spreadsheets save them, with every digit, and what is wrong is told by its row and its column."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.errors import InputError, TooLargeError
from heimdall.formats.readers import table_cells
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.measurements import measurement_schema, measurements_text, read_measurements
from heimdall.formats.readers.read import count_observations, read_observations
from heimdall.formats.readers.table_columns import OF_RECEIVER, OF_TRANSMISSION, key_of
from heimdall.observation import Observation, Place, Receiver

HEADINGS = (
    "id,time_utc,frequency_hz,bandwidth_hz,receiver,latitude_deg,longitude_deg,height_m,toa_s,clock_sigma_s,rssi_dbm"
)
ROWS = (
    "a,2025-05-01T12:00:00Z,145.5e6,12500,north,48.2513,11.5021,520.5,0.00000012345,2e-7,-80.5",
    "a,2025-05-01T12:00:00Z,145.5e6,12500,south,47.8519,11.5034,610,0.000031,2e-7,",
    "b,2025-05-01T12:00:09Z,145.5e6,12500,north,48.2513,11.5021,520.5,,,-71",
    "b,2025-05-01T12:00:09Z,145.5e6,12500,east,48.0047,11.8562,540,,,-75.5",
)
TABLE = "\n".join([HEADINGS, *ROWS, ""])


def _read(text: str | bytes, name: str = "t.csv", limits: Limits | None = None) -> list[Observation]:
    return read_measurements(name, text if isinstance(text, bytes) else text.encode(), limits)


def _said(observations: list[Observation]) -> list[tuple[str, tuple[str, ...]]]:
    return [(measurements_text([each]), each.notes) for each in observations]


def _without(text: str, column: str) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    at = rows[0].index(column)
    return "\n".join(",".join([*row[:at], *row[at + 1 :]]) for row in rows)


def _german(text: str) -> str:
    return text.replace(",", ";").replace(".", ",")


def test_rows_of_one_id_are_one_transmission() -> None:
    first, second = _read(TABLE)
    assert [(first.id, first.frequency_hz, first.bandwidth_hz), second.id] == [("a", 145.5e6, 12500), "b"]
    north, south = first.receptions
    assert north.receiver == Receiver("north", 48.2513, 11.5021, 520.5, 2e-7)
    assert (north.toa_s, north.rssi_dbm, south.toa_s, south.rssi_dbm) == (1.2345e-7, -80.5, 3.1e-5, None)
    assert [(each.receiver.name, each.toa_s, each.rssi_dbm) for each in second.receptions] == [
        ("north", None, -71),
        ("east", None, -75.5),
    ]
    assert (first.notes, second.notes) == ((), ())


def test_rows_of_a_transmission_may_be_anywhere() -> None:
    """As in a table that is sorted by receiver."""
    apart = "\n".join([HEADINGS, ROWS[0], ROWS[2], ROWS[1], ROWS[3]])
    assert _said(_read(apart)) == _said(_read(TABLE))


@pytest.mark.parametrize(
    "laid_out",
    [
        lambda text: f"\ufeff{text}".encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", ", "),
        lambda text: _german(text),
        lambda text: f"sep=;\n{_german(text)}",
        lambda text: "\n".join(
            ",".join(f'"{cell}"' for cell in line.split(";")) for line in _german(text).splitlines()
        ),
        lambda text: f"# {text}",
        lambda text: text.replace("\n", ",,\n") + ",,,,,,,,,,,,,,,\n",
        lambda text: f"# from the survey, in May\n\n{text}".replace("\nb", "\n\n# later, by car\nb"),
        lambda text: text.replace("\nb", "\n,,,,,,,,,,\nb"),
        lambda text: "\n".join(f"{at or ''},{line}" for at, line in enumerate(text.splitlines())),
        lambda text: f"Survey of May,,\nOperator,Anna\n\n{text}",
    ],
)
def test_a_table_is_read_however_it_is_laid_out(laid_out: Callable[[str], str | bytes]) -> None:
    """Separators, decimal commas, marks of encodings, blank lines, comments, cells beyond the last column."""
    assert _said(_read(laid_out(TABLE))) == _said(_read(TABLE))


def test_a_name_may_hold_a_separator_and_letters_of_an_old_encoding() -> None:
    named = TABLE.replace("north", '"Höhe, Nord"')
    assert _read(named.encode("cp1252"))[0].receptions[0].receiver.name == "Höhe, Nord"
    assert _said(_read(named.encode("cp1252"))) == _said(_read(named))


@pytest.mark.parametrize(
    ("heading", "key"),
    [
        ("TOA (s)", "toa_s"),
        ("Clock Sigma [s]", "clock_sigma_s"),
        ("RSSI dBm", "rssi_dbm"),
        ("Frequency/Hz", "frequency_hz"),
        ("Time (UTC)", "time_utc"),
        ("Lat", "latitude_deg"),
        ("Longitude (deg)", "longitude_deg"),
        ("Länge", "longitude_deg"),
        ("rx_lat", "latitude_deg"),
        ("Altitude [m]", "height_m"),
        ("truth lat", "truth_latitude_deg"),
        ("Transmitter height (m)", "transmitter_height_m"),
        ("Frequency (MHz)", "frequency_mhz"),
        ("height (ft)", "height_ft"),
        ("TOA", "toa"),
    ],
)
def test_headings_are_known_by_their_words_and_no_unit_is_guessed(heading: str, key: str) -> None:
    assert key_of(heading) == key


def test_columns_are_those_of_the_measurement_file() -> None:
    """All of its keys, each with a column."""
    schema = measurement_schema()
    names = {name.strip("_"): set(each["properties"]) for name, each in schema["$defs"].items()}
    paths = set(OF_TRANSMISSION.values())
    assert {path[0] for path in paths} | {"measurements"} == set(schema["properties"])
    assert {path[1] for path in paths if len(path) == 2} == names["Truth"]
    assert set(OF_RECEIVER) == names["Measurement"]


def test_every_digit_of_an_arrival_time_is_kept() -> None:
    """UNIX times have more of them than a float."""
    text = TABLE.replace("0.00000012345", "1746100800.123456789012").replace("0.000031", "1746100800.123456889012")
    for each in (text, _german(text)):
        first, second = (reception.toa_s or 0.0 for reception in _read(each)[0].receptions)
        np.testing.assert_allclose(second - first, 1e-7, rtol=0, atol=1e-15)


def test_what_is_known_of_the_transmitter_is_its_own() -> None:
    """In every row or in one; where nothing is known, there is no truth."""
    more = ("transmitter_height_m,truth_lat,truth_lon", "700,48.1,11.25", "NA,,", ",-,", ",,")
    text = "\n".join(f"{line},{cells}" for line, cells in zip([HEADINGS, *ROWS], more, strict=True))
    first, second = _read(text)
    assert (first.transmitter_height_m, first.truth) == (700, Place(48.1, 11.25))
    assert (second.transmitter_height_m, second.truth) == (None, None)


def test_a_row_alone_costs_itself_where_others_are_together() -> None:
    (first, second) = _read(f"{TABLE}Mean,,,,,,,,,,-77\n")
    assert (first.id, second.id) == ("a", "b")
    assert [note[:9] for note in (*first.notes, *second.notes)] == ["not read:"]


def test_without_an_id_rows_of_one_time_are_one_transmission() -> None:
    first, second = _read(_without(TABLE, "id"))
    assert [first.id, second.id] == ["2025-05-01T12:00:00Z", "2025-05-01T12:00:09Z"]
    assert [len(first.receptions), len(second.receptions)] == [2, 2]


def test_without_an_id_and_a_time_a_table_is_one_transmission() -> None:
    (only,) = _read(_without(_without("\n".join([HEADINGS, *ROWS[:2]]), "id"), "time_utc"), "walks/may.csv")
    assert (only.id, len(only.receptions)) == ("may", 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            _without(_without(TABLE, "id"), "time_utc"),
            "receiver 'north' is in row 2 and in row 4: add a column id, .* of one transmission$",
        ),
        (
            _without(_without("\n".join([HEADINGS, *ROWS[:2]]).replace("south", "north"), "id"), "time_utc"),
            "receiver 'north' is in row 2 and in row 3: add a column id, .*; if it moved, give it a name for each place$",
        ),
        (
            _without(TABLE, "id").replace("12:00:00Z,145.5e6,12500,south", "12:00:01Z,145.5e6,12500,south"),
            "row 2 is the only",
        ),
        (TABLE.replace("\na,2025", "\n,2025"), "row 2 has no id"),
        (TABLE.replace("height_m", "Altitude"), r"column 'Altitude' is not known: did you mean height_m, in metres\?"),
        (
            TABLE.replace("0.000031", "0.000031s"),
            r"row 3, column 'toa_s' must be a number, not '0.000031s'; .*empty cell",
        ),
        (TABLE.replace("48.0047,11.8562", "NA,11.8562"), "row 5, column 'latitude_deg' must be a number"),
        (TABLE.replace("145.5e6", "-1"), "row 2, column 'frequency_hz' must be more than 0"),
        (TABLE.replace("145.5e6", ""), "row 2, column 'frequency_hz' is missing"),
        (TABLE.replace("south", ""), "row 3, column 'receiver'.* needs a name"),
        (
            TABLE.replace("145.5e6,12500,south", "146e6,12500,south"),
            "'frequency_hz' is '145.5e6' in row 2 and '146e6' in row 3",
        ),
        (
            TABLE.replace("145.5e6,12500,south", "sNaN,12500,south"),
            "'frequency_hz' is '145.5e6' in row 2 and 'sNaN' in row 3 of one transmission: write one",
        ),
        (TABLE.replace(",610,", ","), "row 3 has 10 cells, and there are 11 columns$"),
        (
            TABLE.replace(",610,", ",610,5,"),
            "row 3 has 12 cells, and there are 11 columns; decimal commas need semicolons",
        ),
        (TABLE.replace(",610,", ',"1,610",'), "row 3, column 'height_m' must be a number, not '1,610'"),
        (TABLE.replace("\nb", "\n#b"), "row 4 begins with #, as a comment does"),
        (TABLE.replace("toa_s", "toa"), r"column 'toa' is not known: did you mean toa_s, in seconds\?"),
        (
            TABLE.replace("frequency_hz", "Freq (MHz)"),
            r"column 'Freq \(MHz\)' is not known: did you mean frequency_hz, in Hz\?",
        ),
        (TABLE.replace("receiver", "who"), "there is no column receiver; there are id, "),
        (TABLE.replace("height_m", "colour"), "column 'colour' is not known: delete it"),
        (TABLE.replace("height_m", ""), "column 8 has no name"),
        ("\n".join([HEADINGS, *(f"{at}{row[1:]}" for at, row in enumerate(ROWS))]), "each row has an id of its own"),
        (TABLE.replace("height_m", "Lat"), "columns 'latitude_deg' and 'Lat' are both latitude_deg"),
        ("receiver;lat;lon\nnorth;48,2;11,5\n", "there is no column frequency_hz, bandwidth_hz, toa_s or rssi_dbm"),
        (
            "serial,lat,lon,height\n1,48.2,11.5,9\n",
            "there is no column frequency_hz, bandwidth_hz, receiver, toa_s or rssi_dbm",
        ),
        ("\n".join(ROWS), "a row must name the columns"),
        ("when,what\n1,2\n", "a row must name the columns"),
        ("", "contains no measurement"),
        (HEADINGS, "contains no measurement"),
    ],
)
def test_what_is_wrong_is_told_by_its_row_and_its_column(text: str, words: str) -> None:
    """Of the file, or of its first transmission where the other is sound: in one line."""
    told = _complaint(text)
    assert "\n" not in told
    assert re.search(rf"^(not read: )?t\.csv: .*{words}", told)


def _complaint(text: str) -> str:
    try:
        return next(note for each in _read(text) for note in each.notes)
    except InputError as error:
        return str(error)


def test_a_bad_row_costs_its_transmission_alone() -> None:
    """As where a logger was killed."""
    (read,) = _read(TABLE[: TABLE.index(",,,-75.5")])
    assert read.id == "a"
    assert read.notes == ("not read: t.csv: row 5 has 8 cells, and there are 11 columns",)


@pytest.mark.parametrize("name", ["t.csv", "t.CSV", "t.tsv", "t.txt", "t.jsonl", "t.csv.gz"])
def test_a_table_is_a_table_whatever_its_file_is_called(tmp_path: Path, name: str) -> None:
    content = TABLE.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert _said(read_observations(tmp_path / name)) == _said(_read(TABLE))
    assert count_observations(tmp_path / name) == 2


def test_lines_of_json_are_read_whatever_their_file_is_called() -> None:
    row = {"id": 1, "frequency_hz": 1e8, "bandwidth_hz": 1e4}
    places = [{"receiver": each, "latitude_deg": 48 + each, "longitude_deg": 9, "rssi_dbm": -80} for each in (0, 1)]
    assert len(_read(json.dumps({**row, "measurements": places}))) == 1


def test_of_a_folder_the_tables_of_measurements_are_read(tmp_path: Path) -> None:
    """A list of stations beside them is none; alone, it says what is missing."""
    (tmp_path / "stations.csv").write_text("receiver,lat,lon\nnorth,48.25,11.5\n")
    with pytest.raises(InputError, match=r"stations\.csv: there is no column frequency_hz"):
        read_observations(tmp_path)
    (tmp_path / "may.csv").write_text(TABLE)
    assert _said(read_observations(tmp_path)) == _said(_read(TABLE))
    assert count_observations(tmp_path) == 2


def test_a_table_is_bounded_as_lines_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLargeError, match="more than 1 "):
        _read(TABLE, limits=Limits(rows=1))
    monkeypatch.setattr(table_cells, "MOST_BYTES", 300)
    with pytest.raises(TooLargeError, match="split it"):
        _read(TABLE)


@given(text=st.text(alphabet='abz,;\t"#\n. 19-ä', max_size=200), above=st.booleans())
def test_any_other_cells_raise_nothing_but_a_complaint(text: str, above: bool) -> None:
    with contextlib.suppress(InputError):
        _read(text + TABLE if above else f"{HEADINGS}\n{text}")
