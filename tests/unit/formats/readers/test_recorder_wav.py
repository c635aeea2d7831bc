"""WAV files of SDR programs are receivers with a frequency, a time, and no clock."""

from __future__ import annotations

import contextlib
import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.recorder_names import from_name
from heimdall.formats.readers.recorder_wav import read_wav_session
from heimdall.observation import Observation

SAMPLES = (0.5 * np.exp(2j * np.pi * 0.03 * np.arange(2000)) + 0.1).astype(np.complex64)
WHEN = (2024, 5, 5, 10, 12, 34, 56, 250)
PLACES = {"alice.txt": b"[46.1, 8.5]", "bob.txt": b"[47.2, 8.5]"}


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _auxi(center_hz: int = 145_500_000) -> bytes:
    return struct.pack("<8H", *WHEN) + struct.pack("<8H", *WHEN) + struct.pack("<9I", center_hz, *[0] * 8)


def _pcm(samples: NDArray[np.complex64], bits: int) -> bytes:
    parts = samples.view(np.float32)
    if bits == 8:
        return np.round(parts * 127 + 128).astype(np.uint8).tobytes()
    if bits == 24:
        return np.round(parts * 2**23).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return np.round(parts * (2 ** (bits - 1) - 1)).astype(f"<i{bits // 8}").tobytes()


def _wav(bits: int = 16, code: int = 1, auxi: bytes = b"", data_size: int | None = None) -> bytes:
    data = SAMPLES.tobytes() if code == 3 else _pcm(SAMPLES, bits)
    body = b"WAVE" + _chunk(b"fmt ", struct.pack("<HHIIHH", code, 2, 48_000, 48_000 * bits // 4, bits // 4, bits))
    body += _chunk(b"auxi", auxi) if auxi else b""
    body += b"data" + struct.pack("<I", len(data) if data_size is None else data_size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _read(files: dict[str, bytes]) -> Observation:
    (observation,) = read_wav_session("night", {**PLACES, **files}, Limits())
    return observation


@pytest.mark.parametrize(
    ("bits", "code", "step"), [(8, 1, 0.01), (16, 1, 1e-4), (24, 1, 1e-6), (32, 1, 1e-6), (32, 3, 0)]
)
def test_time_and_frequency_come_from_the_auxi_chunk(bits: int, code: int, step: float) -> None:
    wav = _wav(bits, code, _auxi())
    observation = _read({"alice.wav": wav, "bob.wav": wav})
    assert observation.frequency_hz == 145.5e6
    assert observation.time_utc == datetime(2024, 5, 10, 12, 34, 56, tzinfo=UTC)
    for reception in observation.receptions:
        assert reception.flaw is None
        assert reception.receiver.clock_sigma_s is None
        assert reception.sample_rate_hz == 48_000
        assert reception.samples is not None
        assert np.max(np.abs(reception.samples - SAMPLES)) <= 2 * step
    assert any("power only" in note for note in observation.notes)


@pytest.mark.parametrize(
    "name",
    [
        "{}_HDSDR_20240510_123456Z_145500kHz_RF.wav",
        "SDRSharp_20240510_123456Z_145500000Hz_IQ_{}.wav",
        "{}_SDRuno_20240510_123456Z_145500kHz.wav",
        "{}_baseband_145500000Hz_12-34-56_10-05-2024.wav",
        "{} SDRconnect_IQ_20240510_123456_145500000HZ.wav",
        "{}-145.5MHz-2024-05-10T12_34_56_250.wav",
        "20240510T123456_145.5MHz_{}.wav",
        "20240510_123456_145500kHz_{}.wav",
        "{}_145.5MHz_2400kSps_10.05.2024_12.34.56.wav",
        "{}_145500000Hz_20240510123456.wav",
        "{}_2024_05_10_12_34_56_145500kHz (1).wav",
        "{} 10-May-2024 123456.789 145.500MHz.wav",
        "{}_2024-05-10T12:34:56.250000Z_145500000Hz.wav",
        "{}_10-05-2024 12h34m56s UTC 145,5 MHz.wav",
    ],
)
def test_names_of_the_programs_say_what_the_file_does_not(name: str) -> None:
    observation = _read({name.format(who): _wav() for who in ("alice", "bob")})
    assert [each.receiver.name for each in observation.receptions] == ["alice", "bob"]
    assert [each.flaw for each in observation.receptions] == [None, None]
    assert observation.frequency_hz == pytest.approx(145.5e6)
    assert observation.time_utc == datetime(2024, 5, 10, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize("number", ["145500000", "0000", "99"])
def test_digits_before_a_date_are_no_part_of_its_year(number: str) -> None:
    about = from_name(f"alice_{number}_2024-05-10T12_34_56_250")
    assert about.start_utc == datetime(2024, 5, 10, 12, 34, 56, 250_000, tzinfo=UTC)


def test_files_without_a_time_are_said_to_be_taken_for_one() -> None:
    observation = _read({f"{who}_145500000Hz.wav": _wav() for who in ("alice", "bob")})
    assert [each.flaw for each in observation.receptions] == [None, None]
    assert "no file says when it was recorded: they are taken to be of one time" in observation.notes


def test_a_file_without_a_time_among_others_is_flagged() -> None:
    """Whether it heard the same is not known; that it was recorded in 1970 would be untrue."""
    files = {f"{who}_145500000Hz_12-34-56_10-05-2024.wav": _wav() for who in ("alice", "carol")}
    observation = _read({**files, "bob_145500000Hz.wav": _wav()})
    flaws = {each.receiver.name: each.flaw for each in observation.receptions}
    assert flaws["bob"] == "it does not say when it was recorded, and others do"


@pytest.mark.parametrize(("center_hz", "noted"), [(7_100_000, True), (145_510_000, False)])
def test_a_name_that_says_another_frequency_than_the_file_is_said(center_hz: int, noted: bool) -> None:
    """Within what was recorded it may be the signal's."""
    wav = _wav(auxi=_auxi(center_hz))
    observation = _read({f"{who}_145500kHz.wav": wav for who in ("alice", "bob")})
    assert observation.frequency_hz == center_hz
    note = "bob: its name says 145.5 MHz and its auxi chunk 7.1 MHz: 7.1 MHz is taken"
    assert (note in observation.notes) == noted


@pytest.mark.parametrize(
    "said",
    [
        'CurrentTimeUTC="10-05-2024 12:34:56" RadioCenterFreq="7100000"',
        'CurrentTimeUTC="10.05.2024 12:34:56" RadioCenterFreq="7100000.0"',
        'CurrentTimeUTC="5/10/2024 12:34:56 PM" UTCSeconds="1715344496" RadioCenterFreq="7100000"',
    ],
)
def test_xml_in_the_auxi_chunk_is_read(said: str) -> None:
    xml = f'<?xml version="1.0"?><SDR-XML-Root><Definition {said}/>'
    wav = _wav(auxi=xml.encode("utf-16-le"))
    observation = _read({"alice.wav": wav, "bob.wav": wav})
    assert (observation.frequency_hz, observation.time_utc) == (7.1e6, datetime(2024, 5, 10, 12, 34, 56, tzinfo=UTC))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_data_size_that_was_never_filled_in_takes_what_is_there(size: int) -> None:
    wav = _wav(auxi=_auxi(), data_size=size)
    observation = _read({"alice.wav": wav, "bob.wav": wav})
    assert [len(each.samples) for each in observation.receptions if each.samples is not None] == [2000, 2000]
    assert not any("early" in note for note in observation.notes)


def _long_wav(form: bytes, data_size: int, after: bytes) -> bytes:
    """With sizes of 64 bits, as recorders write more than 4 GiB, and chunks after the data."""
    data = _pcm(SAMPLES, 16)
    sizes = struct.pack("<QQQI4sQ", 0, len(data) if data_size < 0 else data_size, len(SAMPLES), 1, b"big ", 10)
    body = b"WAVE" + _chunk(b"ds64", sizes) + _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 48_000, 192_000, 4, 16))
    body += b"big \xff\xff\xff\xff" + bytes(10) + b"data\xff\xff\xff\xff" + data + after
    return form + b"\xff\xff\xff\xff" + body


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_sizes_of_64_bits_say_where_the_samples_end(form: bytes) -> None:
    """What follows the data is not taken for samples, and the frequency is found there."""
    wav = _long_wav(form, -1, _chunk(b"LIST", b"INFO" + bytes(400)) + _chunk(b"auxi", _auxi()))
    observation = _read({"alice.wav": wav, "bob.wav": wav})
    assert observation.frequency_hz == 145.5e6
    assert [len(each.samples) for each in observation.receptions if each.samples is not None] == [2000, 2000]


@pytest.mark.parametrize("size", [0, (1 << 64) - 1])
def test_a_size_of_64_bits_that_was_never_filled_in_takes_what_is_there(size: int) -> None:
    wav = _long_wav(b"RF64", size, b"")
    observation = _read({f"{name}_145500000Hz.wav": wav for name in ("alice", "bob")})
    assert [len(each.samples) for each in observation.receptions if each.samples is not None] == [2000, 2000]
    assert not any("early" in note for note in observation.notes)


def test_a_file_at_another_frequency_and_a_broken_one_are_flagged() -> None:
    wav = _wav(auxi=_auxi())
    files = {"alice.wav": wav, "bob.wav": wav, "carol.wav": _wav(auxi=_auxi(7_000_000)), "dave.wav": b"RIFF"}
    files |= {"carol.txt": b"[48, 9.5]", "dave.txt": b"[49, 9.5]"}
    flaws = [each.flaw for each in _read(files).receptions]
    assert flaws[:2] == [None, None]
    assert flaws[2] == "it listened at 7000000 Hz: 145500000 Hz is outside the 48000 Hz that it recorded"
    assert flaws[3] == "it is not a WAV file"


@pytest.mark.parametrize("kept", [36, 44, 60, 112, 120])
def test_a_file_that_ends_in_its_header_holds_no_samples(kept: int) -> None:
    """Whatever was left of the header: it is never said to be of another time."""
    name, wav = "{}_SDRSharp_20240510_123456Z_145500000Hz_IQ.wav", _wav(auxi=_auxi())
    files = {name.format(who): wav for who in ("alice", "bob")}
    observation = _read({**files, name.format("carol"): wav[:kept], "carol.txt": b"[48.1, 9.5]"})
    assert [each.flaw for each in observation.receptions] == [None, None, "it holds no samples"]


@pytest.mark.parametrize("kept", [0.66, 0.999])
def test_a_file_that_ends_early_is_used_with_a_note(kept: float) -> None:
    wav = _wav(auxi=_auxi())
    length = int(kept * len(wav))
    observation = _read({"alice.wav": wav, "bob.wav": wav[:length]})
    assert [each.flaw for each in observation.receptions] == [None, None]
    assert f"bob.wav ends {len(wav) - length} bytes early; what is there is used" in observation.notes
    assert not any("alice.wav ends" in note for note in observation.notes)


def test_a_long_file_that_ends_early_is_used_with_a_note() -> None:
    """Its sizes are of 64 bits."""
    wav = _long_wav(b"RF64", -1, b"")
    names = [f"{name}_145500000Hz.wav" for name in ("alice", "bob")]
    observation = _read(dict(zip(names, (wav, wav[:-1000]), strict=True)))
    assert [note for note in observation.notes if "early" in note] == [
        f"{names[1]} ends 1000 bytes early; what is there is used"
    ]


@pytest.mark.parametrize("beside_hz", [20, -7_000, 12_000])
def test_a_file_tuned_beside_the_others_is_shifted_to_their_frequency(beside_hz: int) -> None:
    """Drivers set what their hardware can, and people tune beside a signal; a note says so."""
    wav, tuned_hz = _wav(auxi=_auxi()), 145_500_000 + beside_hz
    files = {"alice.wav": wav, "bob.wav": wav, "carol.wav": _wav(auxi=_auxi(tuned_hz)), "carol.txt": b"[48, 9.5]"}
    observation = _read(files)
    assert [each.flaw for each in observation.receptions] == [None, None, None]
    assert f"carol listened at {tuned_hz} Hz: its samples are shifted to 145500000 Hz" in observation.notes
    alice, _, carol = (np.asarray(each.samples) for each in observation.receptions)
    np.testing.assert_allclose(carol, alice * np.exp(2j * np.pi * beside_hz / 48_000 * np.arange(2000)), atol=1e-4)


def test_files_that_say_no_frequency_are_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match="no WAV file says its frequency"):
        _read({"alice.wav": _wav(), "bob.wav": _wav()})


@pytest.mark.parametrize(
    ("audio", "iq"),
    [
        ("{}_SDRSharp_20240510_123456Z_145500000Hz_AF.wav", "{}_SDRSharp_20240510_123456Z_145500000Hz_IQ.wav"),
        ("HDSDR_20240510_123456Z_145500kHz_AF_{}.wav", "HDSDR_20240510_123456Z_145500kHz_RF_{}.wav"),
        ("{}_audio_145500000Hz_12-34-56_10-05-2024.wav", "{}_baseband_145500000Hz_12-34-56_10-05-2024.wav"),
    ],
)
def test_audio_beside_iq_is_left_out_with_a_note(audio: str, iq: str) -> None:
    """Programs record both, in stereo; a receiver that has audio alone is flagged."""
    files = {name.format(who): _wav() for name in (audio, iq) for who in ("alice", "bob")}
    observation = _read({**files, audio.format("carol"): _wav(), "carol.txt": b"[48.1234, 9.5]"})
    flaws = [(each.receiver.name, each.flaw) for each in observation.receptions]
    assert sorted(flaws) == [("alice", None), ("bob", None), ("carol", "it is audio (AF) and not IQ")]
    assert f"{audio.format('alice')} is not used: it is audio (AF) and not IQ" in observation.notes


def test_audio_alone_is_refused_with_what_to_give() -> None:
    with pytest.raises(InputError, match="give the IQ recordings"):
        _read({f"{who}_SDRSharp_20240510_123456Z_145500000Hz_AF.wav": _wav() for who in ("alice", "bob")})


@pytest.mark.parametrize("name", ["{}_48kHz_145.500MHz", "{}_145500kHz_48000Hz", "48 kHz {} 0.1455GHz"])
def test_the_sample_rate_in_a_name_is_not_its_frequency(name: str) -> None:
    observation = _read({f"{name.format(who)}_20240510_123456Z.wav": _wav() for who in ("alice", "bob")})
    assert observation.frequency_hz == pytest.approx(145.5e6)
    assert not any("several frequencies" in note for note in observation.notes)


def test_the_sample_rate_alone_is_no_frequency() -> None:
    with pytest.raises(InputError, match="no WAV file says its frequency"):
        _read({f"{who}_48kHz_20240510_123456Z.wav": _wav() for who in ("alice", "bob")})


def test_of_several_frequencies_in_a_name_the_highest_is_taken_and_said() -> None:
    observation = _read({f"{who}_12.5kHz_145.5MHz_20240510_123456Z.wav": _wav() for who in ("alice", "bob")})
    assert observation.frequency_hz == pytest.approx(145.5e6)
    assert any("names several frequencies: 145.5 MHz is taken" in note for note in observation.notes)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_gives_observations_or_one_error(data: st.DataObject) -> None:
    long = _long_wav(b"RF64", -1, _chunk(b"auxi", _auxi()))
    content = bytearray(data.draw(st.sampled_from([_wav(auxi=_auxi()), long])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, min(200, len(content) - 1)))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        content[place : place + len(patch)] = patch
    cut = bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    with contextlib.suppress(InputError):
        read_wav_session("night", {**PLACES, "alice.wav": cut, "bob.wav": _wav(auxi=_auxi())}, Limits())
