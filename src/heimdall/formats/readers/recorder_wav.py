"""IQ recordings as WAV files of SDR#, SDR++, SDRangel, HDSDR, SDRuno and their like: one file a receiver.

Time and frequency stand in an `auxi` chunk, binary (as Winrad began it) or XML, else in the name. No such file says how true
its clock runs, so its receiver has none and gives power only.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.formats.readers.limits import Files, Limits, content_or_flaw, names_ending
from heimdall.formats.readers.positions import Positions
from heimdall.formats.readers.recorder_names import About, from_name, is_audio, receiver_in, stations_of, utc
from heimdall.formats.readers.recordings.channel import occupied_channel
from heimdall.formats.readers.recordings.clipping import clipping_note
from heimdall.formats.readers.recordings.grouping import Who
from heimdall.formats.readers.recordings.heard import EPOCH, Heard
from heimdall.formats.readers.recordings.riff import is_wave, missing_data_bytes, riff_chunks
from heimdall.formats.readers.recordings.takes import Take, Together, sessions_of
from heimdall.formats.readers.recordings.tuning import Tuning, common_frequency_hz, tuned_to
from heimdall.formats.readers.source import folder_of
from heimdall.formats.wording import frequency_text
from heimdall.observation import Observation, Reception
from heimdall.validation.reception import NO_SAMPLES, vet

SUFFIX = ".wav"
_FORMAT = struct.Struct("<HHIIHH")
_SYSTEMTIME = struct.Struct("<8H")
_CENTER = struct.Struct("<I")
_EXTENSIBLE = 0xFFFE
_DTYPES = {(1, 8): "u1", (1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}
_XML_FREQUENCY = re.compile(r'RadioCenterFreq="(\d+(?:\.\d*)?)"')
_XML_TIME = re.compile(r'CurrentTimeUTC="(\d\d)[-.](\d\d)[-.](\d{4}) (\d\d):(\d\d):(\d\d)"')
_XML_SECONDS = re.compile(r'UTCSeconds="(\d{1,10})"')
_NOTE = (
    "WAV files do not say how accurate their clocks are: their receivers contribute power only; for arrival times "
    "write them as SigMF with heimdall:clock_sigma_s"
)

_AUDIO = "it is audio (AF) and not IQ"


class _UnusableError(Exception):
    """The message completes the sentence "the receiver is flagged: ..."."""


def read_wav_session(name: str, files: Files, limits: Limits, positions: Positions | None = None) -> list[Observation]:
    """The WAV files of a folder, an observation for each span that receivers share.

    A file that cannot be used becomes a flagged reception. Raises InputError where none says its frequency.
    """
    paths = list(names_ending(files, SUFFIX))
    stations = stations_of([path[: -len(SUFFIX)] for path in paths])
    read = [_read(path, stations[path[: -len(SUFFIX)]], files, limits) for path in paths]
    heard = [each for each in read if each[0].heard is not None]
    known = [_tuning(take, about.frequency_hz) for take, about in heard or read if about.frequency_hz]
    if not known or _all_audio(read):
        raise InputError(f"{name}: {_unlocatable(read)}")
    frequency_hz = common_frequency_hz(known)
    dated, undated = _dated(read)
    takes = [_agreeing(take, about, frequency_hz) for take, about in dated]
    together = sessions_of(takes)
    positions = positions or Positions(files)
    unheard = positions.unheard(each for take in takes for each in (take.station, _stem(take.path)))
    several = len(together) > 1
    return [
        _observation(
            f"{name}-{index}" if several else name, frequency_hz, session.with_notes((*unheard, *undated)), positions
        )
        for index, session in enumerate(together, start=1)
    ]


def wav_who(path: str) -> Who | None:
    """The receiver by the name of a recording; None for audio, which is no recording of a receiver's own."""
    return None if is_audio(_stem(path)) else Who(receiver_in(_stem(path)), everywhere=False)


def _stem(path: str) -> str:
    return path.rpartition("/")[2][: -len(SUFFIX)]


def _all_audio(read: Sequence[tuple[Take, About]]) -> bool:
    return all(take.flaw == _AUDIO for take, _ in read)


def _unlocatable(read: Sequence[tuple[Take, About]]) -> str:
    if _all_audio(read):
        return f"{_AUDIO}: give the IQ recordings, which programs name IQ, RF or baseband"
    return (
        "no WAV file says its frequency, in an auxi chunk or in its name (as 145500000Hz): "
        "write the recordings as SigMF, or name KiwiSDR files <UTC>_<frequency in Hz>_<station>_iq.wav"
    )


def _read(path: str, station: str, files: Files, limits: Limits) -> tuple[Take, About]:
    stem = _stem(path)
    about = from_name(stem)
    try:
        if is_audio(stem):
            raise _UnusableError(_AUDIO)
        content, unreadable = content_or_flaw(files, path)
        if unreadable is not None:
            raise _UnusableError(unreadable)
        if not is_wave(content):
            raise _UnusableError("it is not a WAV file")
        chunks = _first_of_each(content)
        auxi = _from_auxi(chunks.get(b"auxi", b""))
        about = auxi.or_else(about)
        samples, rate_hz = _samples(chunks, limits)
    except _UnusableError as error:
        return Take(path, station, about.start_utc, flaw=str(error)), about
    named = from_name(stem, rate_hz)
    about = auxi.or_else(named)
    start = about.start_utc or EPOCH
    heard = Heard(samples, rate_hz, start.replace(microsecond=0), start.microsecond * 1e-6)
    missing = missing_data_bytes(content)
    ends_early = (f"{path} ends {missing} bytes early; what is there is used",) if missing else ()
    notes = (
        *about.notes,
        *_two_frequencies(station, auxi, named, rate_hz),
        *ends_early,
        *clipping_note(station, samples),
    )
    return Take(path, station, about.start_utc, heard, notes=notes), about


def _two_frequencies(station: str, auxi: About, named: About, rate_hz: float) -> tuple[str, ...]:
    """A note where the name says another frequency than the file; within what was recorded, it may be the signal's."""
    inside_hz, outside_hz = auxi.frequency_hz, named.frequency_hz
    if inside_hz is None or outside_hz is None or abs(inside_hz - outside_hz) <= 0.5 * rate_hz:
        return ()
    inside, outside = frequency_text(inside_hz), frequency_text(outside_hz)
    return (f"{station}: its name says {outside} and its auxi chunk {inside}: {inside} is taken",)


def _first_of_each(content: bytes) -> dict[bytes, bytes]:
    chunks: dict[bytes, bytes] = {}
    for name, body in riff_chunks(content, partial=True):
        chunks.setdefault(name, body)
    return chunks


def _samples(chunks: dict[bytes, bytes], limits: Limits) -> tuple[NDArray[np.complex64], float]:
    """Complex samples, integers between -1 and 1, and their rate."""
    described, data = chunks.get(b"fmt ", b""), chunks.get(b"data", b"")
    if len(described) < _FORMAT.size:
        raise _UnusableError("the WAV file has no format")
    code, channels, rate_hz, _, _, bits = _FORMAT.unpack(described[: _FORMAT.size])
    if code == _EXTENSIBLE and len(described) >= 26:
        code = int.from_bytes(described[24:26], "little")
    if channels != 2 or rate_hz == 0 or (code, bits) not in {*_DTYPES, (1, 24)}:
        raise _UnusableError(f"it is not IQ: format {code}, {channels} channels of {bits} bits, {rate_hz} Hz")
    count = len(data) // (bits // 4)
    if count > limits.samples:
        raise _UnusableError(f"it has {count} samples, more than the {limits.samples} allowed")
    if count == 0:
        raise _UnusableError(NO_SAMPLES)
    return _complex(data, code, bits, count), float(rate_hz)


def _complex(data: bytes, code: int, bits: int, count: int) -> NDArray[np.complex64]:
    if bits == 24:
        padded = np.zeros((2 * count, 4), dtype=np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8, 6 * count).reshape(-1, 3)
        values = padded.view("<i4")[:, 0]
        bits = 32
    else:
        values = np.frombuffer(data, _DTYPES[code, bits], 2 * count)
    with np.errstate(all="ignore"):
        floats = values.astype(np.float32)
    if code == 1:
        full_scale = np.float32(2 ** (bits - 1))
        floats = (floats - full_scale if bits == 8 else floats) / full_scale
    return floats.view(np.complex64)


def _from_auxi(chunk: bytes) -> About:
    if b"<\0?\0x\0m\0l" in chunk[:64] or b"<?xml" in chunk[:64]:
        return _from_xml(chunk.decode("utf-16-le" if b"\0" in chunk[:16] else "utf-8", "replace"))
    if len(chunk) < 2 * _SYSTEMTIME.size + _CENTER.size:
        return About()
    year, month, _, day, hour, minute, second, millisecond = _SYSTEMTIME.unpack(chunk[: _SYSTEMTIME.size])
    (center_hz,) = _CENTER.unpack_from(chunk, 2 * _SYSTEMTIME.size)
    return About(utc(year, month, day, hour, minute, second, millisecond), float(center_hz) or None)


def _from_xml(text: str) -> About:
    center, time, seconds = (each.search(text) for each in (_XML_FREQUENCY, _XML_TIME, _XML_SECONDS))
    start = None if seconds is None or not int(seconds[1]) else EPOCH + timedelta(seconds=int(seconds[1]))
    if time is not None:
        day, month, year, hour, minute, second = (int(part) for part in time.groups())
        start = utc(year, month, day, hour, minute, second)
    return About(start, (float(center[1]) or None) if center else None)


def _tuning(take: Take, frequency_hz: float) -> Tuning:
    return Tuning(frequency_hz, None if take.heard is None else take.heard.sample_rate_hz)


def _dated(read: Sequence[tuple[Take, About]]) -> tuple[list[tuple[Take, About]], tuple[str, ...]]:
    """The takes, flagged where one does not say when it was recorded and others do, and a note where none does."""
    heard = [about for take, about in read if take.heard is not None]
    if all(about.start_utc is None for about in heard):
        return list(read), ("no file says when it was recorded: they are taken to be of one time",) if heard else ()
    return [(_undated(take) if about.start_utc is None else take, about) for take, about in read], ()


def _undated(take: Take) -> Take:
    return replace(take, heard=None, flaw=take.flaw or "it does not say when it was recorded, and others do")


def _agreeing(take: Take, about: About, frequency_hz: float) -> Take:
    """The take at the session's frequency, flagged where it was recorded at another one or does not say at which."""
    if take.heard is None:
        return take
    if about.frequency_hz is None:
        return replace(
            take, heard=None, flaw=f"it does not say its frequency; the others listened at {frequency_hz:.12g} Hz"
        )
    tuning = _tuning(take, about.frequency_hz)
    if not tuning.holds(frequency_hz, None):
        return replace(take, heard=None, flaw=tuning.flaw(frequency_hz))
    if not tuning.moves(frequency_hz, len(take.heard.samples)):
        return take
    heard = replace(take.heard, samples=tuned_to(frequency_hz, take.heard.samples, tuning))
    return replace(take, heard=heard, notes=(*take.notes, tuning.note(take.station, frequency_hz)))


def _observation(name: str, frequency_hz: float, session: Together, positions: Positions) -> Observation:
    receptions: list[Reception] = []
    notes: list[str] = []
    origin = min((take.heard.start_utc for take in session.takes if take.heard and not take.flaw), default=None)
    stations = [take.station for take in session.takes]
    for take in session.takes:
        receiver, flaw, said = positions.receiver(
            take.station, _stem(take.path), folder=folder_of(take.path), among=stations
        )
        notes += said
        heard = take.heard
        receptions.append(
            Reception(
                receiver,
                samples=None if heard is None else heard.samples,
                sample_rate_hz=None if heard is None else heard.sample_rate_hz,
                flaw=take.flaw or flaw,
            )
        )
    channel = occupied_channel(receptions)
    truth, unread = positions.truth()
    return vet(
        Observation(
            id=name,
            frequency_hz=frequency_hz,
            bandwidth_hz=channel.bandwidth_hz,
            receptions=tuple(receptions),
            time_utc=origin,
            truth=truth,
            notes=(channel.note, _NOTE, *notes, *unread, *session.notes),
        )
    )
