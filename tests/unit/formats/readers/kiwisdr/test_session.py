"""A folder of KiwiSDR recordings becomes one observation."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.errors import InputError
from heimdall.formats.readers.kiwisdr.session import read_kiwisdr
from heimdall.formats.readers.recordings.riff import riff_chunks
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Observation

CHUNKS = 40
PLACES = {"alpha": "d.alpha = struct('coord', [46.5,8.8], 'port', 8073);", "beta": "[51.5, -3.6, 120]"}


def _read(name: str, session: dict[str, bytes]) -> Observation:
    (observation,) = read_kiwisdr(name, session)
    return observation


def _noise(seed: int = 1) -> NDArray[np.complex64]:
    """Noise of 12 kHz at level 30 with a signal of 2 kHz and 1000 times its density."""
    rng = np.random.default_rng(seed)
    count = CHUNKS * 512
    noise, wide = (rng.normal(size=count) + 1j * rng.normal(size=count) for _ in range(2))
    spectrum = np.fft.fft(wide) * (np.abs(np.fft.fftfreq(count, 1 / 12001)) < 1000)
    return np.asarray(np.round(30 * noise + 950 * np.fft.ifft(spectrum)), dtype=np.complex64)


def _stamps_ns(start_s: float) -> NDArray[np.int64]:
    return np.round(start_s * 1e9 + np.arange(CHUNKS) * 512e9 / 12001.1).astype(np.int64)


@pytest.fixture
def session(kiwi_wav: Any) -> dict[str, bytes]:
    """Two receivers, 1.25 s apart in their start, with their positions."""
    return {
        "20200813T065220Z_77500_alpha_iq.wav": kiwi_wav(_noise(), _stamps_ns(370_358.5)),
        "20200813T065221Z_77500_beta_iq.wav": kiwi_wav(_noise(), _stamps_ns(370_359.75)),
        **{f"{name}.txt": text.encode() for name, text in PLACES.items()},
    }


def test_names_positions_and_times_come_together(session: dict[str, bytes]) -> None:
    """Frequency and stations come from the names, places from the text files, times from the stamps."""
    observation = _read("dcf77", session)
    alpha, beta = (reception.receiver for reception in observation.receptions)
    assert (observation.id, observation.frequency_hz) == ("dcf77", 77500)
    assert (alpha.name, alpha.latitude_deg, alpha.longitude_deg, alpha.height_m) == ("alpha", 46.5, 8.8, 0)
    assert (beta.name, beta.latitude_deg, beta.longitude_deg, beta.height_m) == ("beta", 51.5, -3.6, 120)
    assert all(reception.flaw is None for reception in observation.receptions)


def test_recordings_that_start_apart_are_placed_by_their_stamps(session: dict[str, bytes]) -> None:
    """GPS seconds become UTC (18 leap seconds in 2020), and starts keep their difference to 10 ns."""
    observation = _read("dcf77", session)
    assert observation.time_utc is not None
    assert observation.time_utc.isoformat() == "2020-08-13T06:52:20+00:00"
    first, second = (reception.start_s for reception in observation.receptions)
    assert first == pytest.approx(0.5 + 512 / 12001.1, abs=1e-8)
    assert second - first == pytest.approx(1.25, abs=1e-8)


def test_the_channel_is_what_the_signal_fills(session: dict[str, bytes]) -> None:
    """A signal of 2 kHz in 12 kHz of noise makes a channel of 2 kHz, to the width of a bin on both sides."""
    assert _read("dcf77", session).bandwidth_hz == pytest.approx(2000, abs=120)


def test_a_receiver_without_a_position_is_flagged(session: dict[str, bytes]) -> None:
    """The flaw says which file to write."""
    del session["beta.txt"]
    flaws = [reception.flaw for reception in _read("dcf77", session).receptions]
    assert flaws == [None, "no position: write [latitude, longitude] into beta.txt"]


def test_a_broken_recording_is_flagged_and_the_others_are_used(session: dict[str, bytes]) -> None:
    """A file cut within its first second becomes a flagged receiver, its neighbour stays."""
    name = "20200813T065220Z_77500_alpha_iq.wav"
    session[name] = session[name][:4000]
    alpha, beta = _read("dcf77", session).receptions
    assert alpha.flaw is not None
    assert "GPS stamps" in alpha.flaw
    assert beta.flaw is None


def _unstamped(content: bytes) -> bytes:
    """The recording as it is made without `--kiwi-wav`: one chunk of data."""
    chunks = list(riff_chunks(content))
    data = b"".join(body for name, body in chunks if name == b"data")
    header = b"WAVEfmt " + struct.pack("<I", 16) + chunks[0][1]
    body = header + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("name", ["20200813T065220Z_77500_alpha_iq.wav", "20200813T065221Z_77500_beta_iq.wav"])
def test_a_recording_without_stamps_contributes_its_level(session: dict[str, bytes], name: str) -> None:
    """It has no clock, all its samples, and a note says why."""
    session[name] = _unstamped(session[name])
    observation = _read("dcf77", session)
    assert [reception.flaw for reception in observation.receptions] == [None, None]
    (reception,) = (each for each in observation.receptions if each.receiver.name in name)
    assert reception.receiver.clock_sigma_s is None
    assert reception.samples is not None
    assert len(reception.samples) == CHUNKS * 512
    said = f"{reception.receiver.name}: it has no GPS stamps, at least 17 are needed: only its level is used"
    assert said in observation.notes


def test_recordings_without_any_stamps_are_a_session_of_levels(session: dict[str, bytes]) -> None:
    """They are put in order by their names; where one was cut off, what is there is used."""
    wavs = [name for name in session if name.endswith(".wav")]
    session |= {name: _unstamped(session[name]) for name in wavs}
    session[wavs[0]] = session[wavs[0]][:-2000]
    observation = _read("dcf77", session)
    assert [reception.flaw for reception in observation.receptions] == [None, None]
    assert [reception.start_s for reception in observation.receptions] == [0.5, 1.5]
    assert len(observation.receptions[0].samples) == CHUNKS * 512 - 500  # type: ignore[arg-type]
    assert any("ends 2000 bytes early" in note for note in observation.notes)


def test_a_recording_too_short_for_a_clock_contributes_its_level(session: dict[str, bytes], kiwi_wav: Any) -> None:
    """Its few stamps still say, but for the first one, that it was recorded with the others."""
    stamps_ns = _stamps_ns(370_359.75)[:13]
    stamps_ns[0] -= 7200 * 10**9
    name = "20200813T065221Z_77500_beta_iq.wav"
    session[name] = kiwi_wav(_noise(), stamps_ns)
    observation = _read("dcf77", session)
    beta = observation.receptions[1]
    assert (beta.flaw, beta.receiver.clock_sigma_s) == (None, None)
    assert beta.start_s == pytest.approx(1.75, abs=1e-5)
    assert "beta: it has 13 GPS stamps, at least 17 are needed: only its level is used" in observation.notes


@pytest.mark.parametrize("size", [0, 0x7000])
def test_a_chunk_of_the_wrong_size_is_damage_and_no_lack_of_stamps(session: dict[str, bytes], size: int) -> None:
    """Read on as samples, the stamps behind it would be noise."""
    name = "20200813T065221Z_77500_beta_iq.wav"
    place = session[name].index(b"data") + 4
    session[name] = session[name][:place] + struct.pack("<I", size) + session[name][place + 4 :]
    assert "size of a data chunk" in str(_read("dcf77", session).receptions[1].flaw)


def test_a_truncated_recording_is_used_and_said(session: dict[str, bytes]) -> None:
    """What is complete of a truncated file is used, and a note names the file."""
    name = "20200813T065220Z_77500_alpha_iq.wav"
    session[name] = session[name][:72_000]
    observation = _read("dcf77", session)
    assert observation.receptions[0].flaw is None
    assert any(note.startswith(f"{name} ends") for note in observation.notes)


def test_a_transmitter_file_is_the_truth(session: dict[str, bytes]) -> None:
    """`transmitter.txt` beside the recordings holds the known place."""
    session["transmitter.txt"] = b"[50.0155, 9.0108]"
    truth = _read("dcf77", session).truth
    assert truth is not None
    assert (truth.latitude_deg, truth.longitude_deg, truth.height_m) == (50.0155, 9.0108, None)


def test_one_receiver_is_refused(session: dict[str, bytes]) -> None:
    """A single recording locates nothing."""
    del session["20200813T065221Z_77500_beta_iq.wav"]
    with pytest.raises(InputError, match="at least 2"):
        _read("dcf77", session)


def test_two_frequencies_are_refused(session: dict[str, bytes]) -> None:
    """Recordings of different frequencies are not one transmission."""
    session["20200813T065221Z_60000_beta_iq.wav"] = session.pop("20200813T065221Z_77500_beta_iq.wav")
    with pytest.raises(InputError, match="60000, 77500 Hz"):
        _read("dcf77", session)


@pytest.mark.parametrize(
    "name",
    [
        "gamma_iq.wav",
        "20209913T065221Z_77500_gamma_iq.wav",
        "20200813T065221Z_lw_gamma_iq.wav",
        "temp_gamma.wav",
        "20200813T065220Z_camp_rx0_gamma.wav",
        "20200813T065220Z_77500_iq.wav",
    ],
)
def test_a_name_that_says_nothing_costs_its_file_and_not_the_session(session: dict[str, bytes], name: str) -> None:
    """The others are used; this one is named, with how to name it."""
    session[name] = session["20200813T065221Z_77500_beta_iq.wav"]
    flaws = {reception.receiver.name: reception.flaw for reception in _read("dcf77", session).receptions}
    assert (flaws["alpha"], flaws["beta"]) == (None, None)
    assert "<station>" in str(flaws[name.removesuffix(".wav")])


def test_a_name_without_a_station_is_of_the_one_that_its_folder_names(session: dict[str, bytes]) -> None:
    names = {
        name: f"{station}/20200813T065220Z_77500_iq.wav"
        for name in session
        for station in ("alpha", "beta")
        if name.endswith(f"{station}_iq.wav")
    }
    observation = _read("dcf77", {names.get(name, name): content for name, content in session.items()})
    assert [(each.receiver.name, each.flaw) for each in observation.receptions] == [("alpha", None), ("beta", None)]


@pytest.mark.parametrize("number", [" (1)", "(2)", " (13)"])
def test_a_download_that_a_browser_numbered_is_read(session: dict[str, bytes], number: str) -> None:
    content = session.pop("20200813T065221Z_77500_beta_iq.wav")
    session[f"20200813T065221Z_77500_beta_iq{number}.wav"] = content
    receptions = _read("dcf77", session).receptions
    assert [(each.receiver.name, each.flaw) for each in receptions] == [("alpha", None), ("beta", None)]


@pytest.mark.parametrize("name", ["gamma.wav", "HDSDR_20200813_065220Z_77kHz_RF.wav"])
def test_a_recording_of_another_program_is_said_to_be_one(session: dict[str, bytes], name: str) -> None:
    """To name it as a KiwiSDR's would not help: it has none of its stamps."""
    session[name] = _unstamped(session["20200813T065221Z_77500_beta_iq.wav"])
    flaws = {reception.receiver.name: str(reception.flaw) for reception in _read("dcf77", session).receptions}
    assert flaws[name.removesuffix(".wav")].startswith("it is of another recorder than the others")


def test_a_folder_in_which_no_name_says_anything_is_refused(session: dict[str, bytes]) -> None:
    """The error shows how to name the files."""
    recordings = [content for name, content in session.items() if name.endswith(".wav")]
    with pytest.raises(InputError, match="<station>"):
        read_kiwisdr("x", {f"temp_{index}.wav": content for index, content in enumerate(recordings)})


@pytest.fixture
def make_take(kiwi_wav: Any) -> Any:
    """A function that writes a recording of a station, so many seconds after 2020-08-13 06:52:20 UTC."""

    def make(station: str, late_s: float) -> dict[str, bytes]:
        begin = datetime(2020, 8, 13, 6, 52, 20) + timedelta(seconds=late_s)
        stamps_ns = _stamps_ns((370_358.5 + late_s) % 604_800)
        return {f"{begin:%Y%m%dT%H%M%S}Z_77500_{station}_iq.wav": kiwi_wav(_noise(), stamps_ns)}

    return make


def test_a_station_of_another_day_is_flagged_and_the_others_are_used(session: dict[str, bytes], make_take: Any) -> None:
    session |= make_take("gamma", 86_400.0) | {"gamma.txt": b"[50.1, 4.2]"}
    alpha, beta, gamma = _read("dcf77", session).receptions
    assert (alpha.flaw, beta.flaw) == (None, None)
    assert gamma.flaw == "recorded at another time, 2020-08-14T06:52:21Z: no other receiver recorded then"


def test_takes_hours_apart_are_a_session_for_each_span_that_receivers_share(make_take: Any) -> None:
    """Two stations recorded twice, a third one once alone: two sessions, and its take is named."""
    files = {f"{name}.txt": f"[{latitude}, 8.5]".encode() for name, latitude in (("a", 46.1), ("b", 47.2), ("c", 48.3))}
    for station, late_s in (("a", 0), ("b", 0.3), ("c", 0.1), ("a", 5400), ("b", 5400.2), ("c", 9000), ("a", 20_000)):
        files |= make_take(station, late_s)
    first, second = read_kiwisdr("night", files)
    assert (first.id, second.id) == ("night-20200813T065220Z", "night-20200813T082220Z")
    assert [(each.receiver.name, each.flaw) for each in first.receptions] == [("a", None), ("b", None), ("c", None)]
    names = {each.receiver.name: each.flaw for each in second.receptions}
    assert (names["a"], names["b"]) == (None, None)
    assert "recorded at another time" in str(names["c"])
    assert any("T122540Z_77500_a_iq.wav is not used: recorded at another time" in note for note in second.notes)


def test_sessions_that_begin_within_a_second_have_names_of_their_own(make_take: Any, kiwi_wav: Any) -> None:
    """A short recording ends before the third one begins: two spans, shared by two each."""
    files = {f"{name}.txt": f"[{latitude}, 8.5]".encode() for name, latitude in (("a", 46.1), ("b", 47.2), ("c", 48.3))}
    files |= make_take("b", -0.4) | make_take("c", 0.4)
    files["20200813T065219Z_77500_a_iq.wav"] = kiwi_wav(_noise()[: 12 * 512], _stamps_ns(370_358.1)[:12])
    read = read_kiwisdr("night", files)
    assert len(read) == 2
    assert len({each.id for each in read}) == 2


def test_a_recording_that_its_recorder_split_is_joined(make_take: Any) -> None:
    """The parts of one station come together with their gap, to the sample, and a note says so."""
    files = {"a.txt": b"[46.1, 8.5]", "b.txt": b"[47.2, 8.5]"} | make_take("b", 0.4)
    length_s = CHUNKS * 512 / 12001.1
    files |= make_take("a", 0.0) | make_take("a", length_s)
    observation = _read("x", files)
    a, b = observation.receptions
    assert a.samples is not None
    assert b.samples is not None
    assert len(a.samples) == 2 * CHUNKS * 512 - 512
    assert len(a.samples) > len(b.samples)
    assert np.count_nonzero(a.samples) > 0.97 * (len(a.samples) - 512)
    assert any("they are one recording" in note for note in observation.notes)


def test_takes_that_nobody_shares_are_all_named(make_take: Any) -> None:
    files = {"a.txt": b"[46.1, 8.5]", "b.txt": b"[47.2, 8.5]"} | make_take("a", 0.0) | make_take("b", 600.0)
    assert all("recorded at another time" in str(each.flaw) for each in _read("x", files).receptions)


@pytest.mark.parametrize("size", [0xFFFFFFF8, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_size_that_was_never_filled_in_is_no_loss(session: dict[str, bytes], size: int) -> None:
    name = "20200813T065220Z_77500_alpha_iq.wav"
    session[name] = session[name][:4] + size.to_bytes(4, "little") + session[name][8:]
    assert not any("early" in note for note in _read("dcf77", session).notes)


def test_a_position_as_people_write_it_is_read_and_said(session: dict[str, bytes]) -> None:
    session["beta.txt"] = "51°30'00\"N 3°36'02\"W".encode()
    observation = _read("dcf77", session)
    receiver = observation.receptions[1].receiver
    assert (receiver.latitude_deg, receiver.longitude_deg) == pytest.approx((51.5, -3.60056), abs=1e-5)
    assert any(note.startswith("beta.txt is read as degrees") for note in observation.notes)


def test_a_rounded_position_says_how_exactly_it_is_given(session: dict[str, bytes]) -> None:
    session["beta.txt"] = b"d.beta = struct('coord', [52.000000,-4.000000]);"
    observation = _read("dcf77", session)
    assert observation.receptions[1].receiver.position_sigma_m == pytest.approx(32_135, rel=0.01)
    assert any("the position of beta is rounded to about 32 km" in note for note in observation.notes)


def test_the_status_page_of_a_receiver_gives_its_coordinates(session: dict[str, bytes]) -> None:
    """Not the middle of the locator that stands there as well, kilometres away."""
    session["beta.txt"] = b"status=active\r\nname=beta\r\ngps=(51.512345, -3.612345)\r\ngrid=IO81em\r\nasl=120\r\n"
    observation = _read("dcf77", session)
    receiver = observation.receptions[1].receiver
    assert (receiver.latitude_deg, receiver.longitude_deg, receiver.height_m) == (51.512345, -3.612345, 120.0)
    assert not any("beta" in note for note in observation.notes)


def test_a_height_that_is_not_used_is_said(session: dict[str, bytes]) -> None:
    session["beta.txt"] = b'{"lat": 51.512345, "lon": -3.612345, "altitude": 394}'
    observation = _read("dcf77", session)
    assert observation.receptions[1].receiver.height_m == 0
    note = "beta.txt: 'altitude 394' is not used as a height: write [latitude, longitude, height in m]"
    assert note in observation.notes


@pytest.mark.parametrize("written", ["gps=(unset)", "gps=()"])
def test_a_status_page_without_coordinates_is_no_position(session: dict[str, bytes], written: str) -> None:
    session["beta.txt"] = f"status=active\n{written}\n".encode()
    assert "no position" in str(_read("dcf77", session).receptions[1].flaw)


def test_a_position_that_cannot_be_read_says_what_to_write(session: dict[str, bytes]) -> None:
    session["beta.txt"] = b"in the shed"
    flaw = _read("dcf77", session).receptions[1].flaw
    assert flaw == "no position: beta.txt holds none that can be read; write [latitude, longitude] in degrees into it"


_LISTS = {
    "Octave": "d.gamma = struct('coord', [48.2,16.4]);\nd.beta = struct('coord', [51.512345,-3.612345], 'host', 'x');\n",
    "one line": "d.gamma = struct('coord', [48.2,16.4]); d.beta = struct('coord', [51.512345,-3.612345]);",
    "JavaScript": "d.beta = {\n coord: [51.512345, -3.612345]\n};\nd.gamma = {\n coord: [48.2, 16.4]\n};\n",
    "JSON": '[{"name":"gamma","lat":48.2,"lon":16.4},\n {"name":"BETA","lat":51.512345,"lon":-3.612345}]',
    "table": "name;lat;lon\ngamma;48,2;16,4\nbeta;51,512345;-3,612345\n",
    "colons": "gamma: 48.2, 16.4\nbeta: 51.512345, -3.612345\n",
    "no header": "gamma;48,22;16,41\nbeta;51,512345;-3,612345\n",
    "header below a title": "Stations\n\nname,lon,lat\ngamma,16.4,48.2\nbeta,-3.612345,51.512345\n",
    "KML": "<Placemark><name>gamma</name>\n<Point><coordinates>16.4,48.2,0</coordinates></Point></Placemark>"
    "<Placemark><name>beta</name>\n<Point><coordinates>-3.612345,51.512345,0</coordinates></Point></Placemark>",
    "GPX": '<wpt lat="48.2" lon="16.4">\n<name>gamma</name></wpt><wpt lat="51.512345" lon="-3.612345">\n<name>beta</name></wpt>',
    "GeoJSON": '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "gamma"}, "geometry": '
    '{"type": "Point", "coordinates": [16.4, 48.2]}}, {"type": "Feature", "properties": {"name": "beta"}, "geometry": '
    '{"type": "Point", "coordinates": [-3.612345, 51.512345]}}]}',
    "JSON of lists": '{"gamma": [48.2, 16.4], "beta": [51.512345, -3.612345]}',
    "indented JSON": '{"stations": {"gamma": [\n 48.2,\n 16.4\n ],\n "beta": [\n 51.512345,\n -3.612345\n ]}}',
    "YAML": "gamma:\n  lat: 48.2\n  lon: 16.4\nbeta:\n  lat: 51.512345\n  lon: -3.612345\n",
    "another's address": "gamma [48.2,16.4] beta.example.org\nbeta-2 [47,9]\nbeta [51.512345,-3.612345]",
}


@pytest.mark.parametrize("written", _LISTS.values(), ids=_LISTS)
def test_of_a_list_of_stations_a_receiver_takes_its_own_place(session: dict[str, bytes], written: str) -> None:
    """The entry that names the receiver counts, wherever it is in the list."""
    session["beta.txt"] = written.encode()
    receiver = _read("dcf77", session).receptions[1].receiver
    assert (receiver.latitude_deg, receiver.longitude_deg) == (51.512345, -3.612345)


@pytest.mark.parametrize("name", ["stations.txt", "positions.csv", "map.kml"])
def test_a_list_of_all_stations_stands_for_a_text_of_each(session: dict[str, bytes], name: str) -> None:
    del session["alpha.txt"], session["beta.txt"]
    session[name] = b"alpha: 48.25, 16.41\nbeta: 51.512345, -3.612345\n"
    observation = _read("dcf77", session)
    places = [(each.receiver.latitude_deg, each.receiver.longitude_deg) for each in observation.receptions]
    assert places == [(48.25, 16.41), (51.512345, -3.612345)]
    assert f"the position of beta is that of its entry in {name}" in observation.notes
    assert not any("no recording" in note for note in observation.notes)


@pytest.mark.parametrize("end", ["", "\nJO51xl: 51.4661, 11.9772\n"])
def test_a_name_that_reads_as_a_locator_is_no_position(session: dict[str, bytes], end: str) -> None:
    """Stations are often called by their locators, which say no more than a square of kilometres."""
    named = {name.replace("beta", "JO62qm"): content for name, content in session.items() if name != "alpha.txt"}
    named["JO62qm.txt"] = f"JO62qm: 52.51234, 13.38765{end}".encode()
    named["stations.txt"] = f"alpha: 48.25, 16.41\nJO62qm: 52.5, 13.4{end}".encode()
    places = {each.receiver.name: each.receiver for each in _read("dcf77", named).receptions}
    assert (places["JO62qm"].latitude_deg, places["JO62qm"].longitude_deg) == (52.51234, 13.38765)
    assert (places["alpha"].latitude_deg, places["alpha"].longitude_deg) == (48.25, 16.41)


@pytest.mark.parametrize("written", ["beta is opposite of [48.2, 16.4]", "alpha: 48.25, 16.41\nbeta\n"])
def test_what_names_a_station_beside_a_position_is_no_list(session: dict[str, bytes], written: str) -> None:
    """Of two stations each must have a place in it."""
    del session["beta.txt"]
    session["remarks.txt"] = written.encode()
    assert _read("dcf77", session).receptions[1].flaw == "no position: write [latitude, longitude] into beta.txt"


@pytest.mark.parametrize(
    "written",
    [
        "d.gamma = struct('coord', [48.2,16.4]);\nd.delta = struct('coord', [51.5,-3.6]);",
        '[{"by": {"name": "beta"}, "at": [48.2, 16.4]}, {"by": {"name": "gamma"}, "at": [51.5, -3.6]}]',
        "beta [48.2,16.4]\nbeta [51.5,-3.6]",
    ],
)
def test_a_list_that_does_not_say_which_place_is_its_own_flags_the_receiver(
    session: dict[str, bytes], written: str
) -> None:
    """Also where the same list stands in the text of every receiver: each says what is wrong with it."""
    session["alpha.txt"] = session["beta.txt"] = written.encode()
    alpha, beta = (reception.flaw for reception in _read("dcf77", session).receptions)
    assert alpha is not None
    assert beta == (
        "no position: beta.txt holds several different ones and none that is plainly of beta; "
        "write its [latitude, longitude] alone into it"
    )


@pytest.mark.parametrize("written", ["# lon, lat\n[-3.6, 51.5]", "# lon, lat\ngamma: [16.4, 48.2]\nbeta: [-3.6, 51.5]"])
def test_a_text_that_names_the_longitude_first_is_said_to(session: dict[str, bytes], written: str) -> None:
    session["beta.txt"] = written.encode()
    flaw = _read("dcf77", session).receptions[1].flaw
    assert flaw == "no position: beta.txt names the longitude first; write [latitude, longitude] in degrees into it"


@pytest.mark.parametrize(
    ("written", "why"),
    [("on the hill", "it holds no position"), ("[50.1, 9.2] or [51.1, 9.2]", "it holds several different positions")],
)
def test_a_transmitter_file_that_gives_no_place_is_said(session: dict[str, bytes], written: str, why: str) -> None:
    session["transmitter.txt"] = written.encode()
    observation = _read("dcf77", session)
    assert observation.truth is None
    note = f"transmitter.txt is not used: {why}; write the [latitude, longitude] of the transmitter into it"
    assert note in observation.notes


@pytest.mark.real
def test_real_delays_are_near_the_truth(real_data: Path) -> None:
    """Correlating the DCF77 recordings by their own stamps gives the delays of the known transmitter within 15 us."""
    folder = real_data / "kiwisdr_dcf77"
    observation = _read("dcf77", {path.name: path.read_bytes() for path in folder.iterdir()})
    assert [reception.flaw for reception in observation.receptions] == [None, None, None]
    assert 700 < observation.bandwidth_hz < 1400
    envelopes = [_envelope(reception, begin_s=1.0, count=20 * 12_000) for reception in observation.receptions]
    distances_m = [
        geodesic_distance_m(50.0155, 9.0108, reception.receiver.latitude_deg, reception.receiver.longitude_deg)
        for reception in observation.receptions
    ]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        expected_s = (distances_m[first] - distances_m[second]) / SPEED_OF_LIGHT_M_S
        assert _delay_s(envelopes[first], envelopes[second]) == pytest.approx(expected_s, abs=15e-6)


def _envelope(reception: Any, begin_s: float, count: int) -> NDArray[np.complex128]:
    """Samples at 12 kHz from a common instant: oversampled by 8, then linearly interpolated."""
    size = len(reception.samples)
    spectrum = np.fft.fft(reception.samples.astype(complex))
    fine = np.fft.ifft(np.concatenate([spectrum[: size // 2], np.zeros(7 * size), spectrum[size // 2 :]]))
    time_s = begin_s + np.arange(count) / 12_000
    place = (time_s - reception.start_s) * reception.sample_rate_hz * 8
    return np.interp(place, np.arange(len(fine)), fine)


def _delay_s(first: NDArray[np.complex128], second: NDArray[np.complex128]) -> float:
    """How much later the first is, by the peak of the complex correlation on a grid of 2 us within 3 ms."""
    count = len(first)
    cross = np.fft.fft(first) * np.conj(np.fft.fft(second))
    frequency = np.fft.fftfreq(count, 1 / 12_000)
    inside = np.abs(frequency) < 600
    lags_s = np.arange(-3e-3, 3e-3, 2e-6)
    turns = np.exp(2j * np.pi * np.outer(lags_s, np.linspace(-600, 600, 121)))
    bins = np.digitize(frequency[inside], np.linspace(-605, 605, 122)) - 1
    binned = np.bincount(bins, cross[inside].real, 121) + 1j * np.bincount(bins, cross[inside].imag, 121)
    return float(lags_s[np.argmax(np.abs(turns @ binned))])
