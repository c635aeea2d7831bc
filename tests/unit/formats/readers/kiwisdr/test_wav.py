"""One KiwiSDR recording: the line through its stamps, and what is done about broken ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heimdall.formats.readers.kiwisdr.stamps import BrokenRecordingError
from heimdall.formats.readers.kiwisdr.wav import parse_kiwi_wav, parse_unstamped_wav

CHUNKS = 60
RATE_HZ = 12001.1234
START_S = 370_358.25


def _samples(count: int = CHUNKS * 512) -> NDArray[np.complex64]:
    rng = np.random.default_rng(1)
    return (rng.integers(-9000, 9000, count) + 1j * rng.integers(-9000, 9000, count)).astype(np.complex64)


def _stamps_ns(start_s: float = START_S, jitter_ns: float = 0.0) -> NDArray[np.int64]:
    jitter = np.random.default_rng(2).normal(0, jitter_ns, CHUNKS)
    return np.round(start_s * 1e9 + np.arange(CHUNKS) * 512e9 / RATE_HZ + jitter).astype(np.int64)


def test_the_line_through_the_stamps_gives_rate_and_start(kiwi_wav: Any) -> None:
    """Rate to 0.1 ppm and start to 50 ns come out of stamps that scatter by 70 ns."""
    recording = parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns(jitter_ns=70)))
    first_used_s = START_S + 512 / RATE_HZ
    assert recording.sample_rate_hz == pytest.approx(RATE_HZ, rel=1e-7)
    assert recording.start_s == pytest.approx(first_used_s, abs=50e-9)


def test_samples_come_back_scaled_to_one(kiwi_wav: Any) -> None:
    """The samples are those written, from the first believed stamp on, over the full scale of 16 bits."""
    recording = parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns()))
    np.testing.assert_array_equal(recording.samples, _samples()[512:] / np.float32(32768))


def test_wrong_stamps_do_not_move_the_line(kiwi_wav: Any) -> None:
    """A first stamp hours off, and every tenth one a second off, change nothing beyond rounding."""
    stamps = _stamps_ns()
    stamps[0] -= 3 * 3600 * 10**9
    stamps[5::10] += 10**9
    recording = parse_kiwi_wav(kiwi_wav(_samples(), stamps))
    assert recording.sample_rate_hz == pytest.approx(RATE_HZ, rel=1e-9)
    assert recording.start_s == pytest.approx(START_S + 512 / RATE_HZ, abs=2e-9)


def test_the_week_may_end_within_a_recording(kiwi_wav: Any) -> None:
    """Stamps that start again at zero are one line with those before."""
    stamps = _stamps_ns(start_s=604_799.0) % (604_800 * 10**9)
    recording = parse_kiwi_wav(kiwi_wav(_samples(), stamps))
    assert recording.sample_rate_hz == pytest.approx(RATE_HZ, rel=1e-9)
    assert recording.start_s == pytest.approx(604_799 + 512 / RATE_HZ, abs=2e-9)


def test_the_clock_is_as_good_as_its_stamps_and_its_last_solution(kiwi_wav: Any) -> None:
    """Scattering stamps and an old GPS solution both raise the clock's uncertainty."""
    calm = parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns(), age_s=0)).clock_sigma_s
    noisy = parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns(jitter_ns=75), age_s=0)).clock_sigma_s
    old = parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns(), age_s=60)).clock_sigma_s
    assert calm is not None
    assert noisy is not None
    assert old is not None
    assert calm == pytest.approx(50e-9, rel=0.01)
    assert noisy == pytest.approx(90e-9, rel=0.2)
    assert old > 1e-6


@pytest.mark.parametrize("age_s", [254, 255])
def test_without_a_recent_solution_there_is_no_clock(kiwi_wav: Any, age_s: int) -> None:
    """Ages 254 (not recent) and 255 (never) mean that the stamps cannot be relied on."""
    assert parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns(), age_s=age_s)).clock_sigma_s is None


def test_a_truncated_file_gives_what_is_complete(kiwi_wav: Any) -> None:
    """The complete chunks of a cut file are used, and the missing bytes counted."""
    content = kiwi_wav(_samples(), _stamps_ns())
    recording = parse_kiwi_wav(content[: len(content) // 2])
    assert len(recording.samples) == 512 * 28
    assert recording.missing_bytes == len(content) - len(content) // 2


def test_lost_samples_are_found(kiwi_wav: Any) -> None:
    """A gap in the middle leaves two lines; the recording is refused, not bent."""
    stamps = _stamps_ns()
    stamps[CHUNKS // 2 :] += 5 * 10**9
    with pytest.raises(BrokenRecordingError, match=r"do not fit|samples were lost"):
        parse_kiwi_wav(kiwi_wav(_samples(), stamps))


@pytest.mark.parametrize("place", [20, 30, 42])
@pytest.mark.parametrize("jump_s", [3 * 512 / RATE_HZ, 0.004, 1.0])
def test_stamps_that_jump_are_lost_samples_however_far(kiwi_wav: Any, place: int, jump_s: float) -> None:
    """The rate is right from stamp to stamp: it is not the header that is wrong. Those on one side are what lies on one line."""
    stamps = _stamps_ns(jitter_ns=70)
    stamps[place:] += round(jump_s * 1e9)
    side = max(place - 1, CHUNKS - place)
    with pytest.raises(BrokenRecordingError, match=f"only {side} of its {CHUNKS - 1} GPS .* samples were lost"):
        parse_kiwi_wav(kiwi_wav(_samples(), stamps))


@pytest.mark.parametrize("back_s", [0.5, 3.0])
def test_stamps_that_go_back_are_no_lost_samples(kiwi_wav: Any, back_s: float) -> None:
    stamps = _stamps_ns()
    stamps[27:] -= round(back_s * 1e9)
    with pytest.raises(BrokenRecordingError, match="go back in time"):
        parse_kiwi_wav(kiwi_wav(_samples(), stamps))


def test_stamps_whose_seconds_stand_still_go_back(kiwi_wav: Any) -> None:
    with pytest.raises(BrokenRecordingError, match="go back in time"):
        parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns() % 10**9))


@pytest.mark.parametrize("step_ns", [10**6, 10**5])
def test_rounded_stamps_are_said_to_scatter(kiwi_wav: Any, step_ns: int) -> None:
    """Nothing was lost where every stamp is inexact."""
    with pytest.raises(BrokenRecordingError, match=r"scatter by 0\.\d+ ms .* are they rounded\?"):
        parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns() // step_ns * step_ns))


def test_a_header_with_another_rate_is_said_to_be_wrong(kiwi_wav: Any) -> None:
    content = kiwi_wav(_samples(), _stamps_ns())
    place = content.index(b"fmt ") + 12
    with pytest.raises(BrokenRecordingError, match="do not fit the 20250 Hz of its header"):
        parse_kiwi_wav(content[:place] + (20250).to_bytes(4, "little") + content[place + 4 :])


def test_too_few_stamps_are_refused(kiwi_wav: Any) -> None:
    """Half a second holds too few stamps for a line."""
    with pytest.raises(BrokenRecordingError, match="it has 12 GPS stamps"):
        parse_kiwi_wav(kiwi_wav(_samples(), _stamps_ns()[:12]))


def test_a_header_alone_is_said_to_hold_no_samples(kiwi_wav: Any) -> None:
    """And not to lack the stamps that stand between samples."""
    with pytest.raises(BrokenRecordingError, match="it holds no samples"):
        parse_unstamped_wav(kiwi_wav(_samples(), _stamps_ns())[:36])


def test_an_ordinary_wav_is_refused() -> None:
    """Neither text nor sound is a recording with stamps."""
    with pytest.raises(BrokenRecordingError, match="not a WAV"):
        parse_kiwi_wav(b"d.X = struct('coord', [1,2])")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_gives_a_recording_or_one_reason(kiwi_wav: Any, data: st.DataObject) -> None:
    """Cut and overwritten anywhere, a file is read or refused with BrokenRecordingError, never anything else."""
    content = bytearray(kiwi_wav(_samples(), _stamps_ns()))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=16))
        content[place : place + len(patch)] = patch
    damaged = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        recording = parse_kiwi_wav(damaged)
    except BrokenRecordingError:
        return
    assert np.all(np.isfinite(recording.samples))
    assert abs(recording.sample_rate_hz / 12001 - 1) < 0.02


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=400))
def test_arbitrary_bytes_after_a_header_are_refused(content: bytes) -> None:
    """Bytes that only start like a WAV file give a reason."""
    with pytest.raises(BrokenRecordingError):
        parse_kiwi_wav(b"RIFF\0\0\0\0WAVE" + content)
