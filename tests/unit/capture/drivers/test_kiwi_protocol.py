"""The words of a KiwiSDR."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.capture.drivers.kiwi_protocol import (
    NotKiwiError,
    SoundFrame,
    parse_message,
    parse_place,
    parse_sound,
    parse_status,
    sound_message,
)


def test_a_sound_frame_is_laid_out_as_the_receivers_server_does_it() -> None:
    """Flags and sequence little-endian, the meter big-endian, the stamp little-endian (rx_sound.cpp)."""
    message = b"SND" + bytes([0x08]) + struct.pack("<I", 77) + struct.pack(">H", 270)
    message += struct.pack("<BBII", 3, 0, 466_823, 886_417_795) + struct.pack(">4h", 1, -2, 3, -4)
    frame = parse_sound(message)
    assert (frame.sequence, frame.level_dbm, frame.gps_age_s) == (77, pytest.approx(-100.0), 3)
    assert (frame.gps_second, frame.gps_nanosecond, frame.little_endian) == (466_823, 886_417_795, False)
    assert struct.unpack(">4h", frame.samples) == (1, -2, 3, -4)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.integers(0, 604_799),
    st.integers(0, 10**9 - 1),
    st.binary(max_size=64),
)
def test_a_frame_that_is_written_is_read_again(
    sequence: int, age_s: int, second: int, nanosecond: int, body: bytes
) -> None:
    frame = SoundFrame(sequence, -93.5, age_s, second, nanosecond, False, body[: len(body) // 4 * 4])
    read = parse_sound(sound_message(frame))
    assert read == SoundFrame(sequence, pytest.approx(-93.5), age_s, second, nanosecond, False, frame.samples)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_refused(content: bytes) -> None:
    with contextlib.suppress(NotKiwiError):
        parse_sound(b"SND" + content)


def test_a_message_is_pairs_and_words() -> None:
    assert parse_message(b"MSG badp=1 down rx_chans=4") == {"badp": "1", "down": "", "rx_chans": "4"}


def test_a_page_that_is_no_status_is_refused() -> None:
    assert parse_status(b"users=1\nusers_max=4\nname=a=b\n")["name"] == "a=b"
    for page in (b"<html>=</html>", b"", b"\xff\xfe", b"users=1"):
        with pytest.raises(NotKiwiError):
            parse_status(page)


def test_a_place_is_as_exact_as_its_digits() -> None:
    fine, coarse = parse_place("(52.123456, 13.5)", 30.0), parse_place("(52.1, 13.5)", None)
    assert fine is not None
    assert coarse is not None
    assert (fine[0].latitude_deg, fine[0].longitude_deg, fine[0].height_m) == (52.123456, 13.5, 30.0)
    assert fine[1] < 1 < coarse[1]
    assert parse_place("somewhere", None) is None
