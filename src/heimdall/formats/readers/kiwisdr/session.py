"""Sessions of KiwiSDR recordings: `<UTC>_<frequency in Hz>_<station>_iq.wav`, each with `<station>.txt` for its position."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from heimdall.errors import InputError
from heimdall.formats.readers.kiwisdr.gps_time import week_begin_utc_s
from heimdall.formats.readers.kiwisdr.stamps import BrokenRecordingError, TooFewStampsError
from heimdall.formats.readers.kiwisdr.wav import KiwiRecording, parse_kiwi_wav, parse_unstamped_wav
from heimdall.formats.readers.limits import Files, content_or_flaw, names_ending
from heimdall.formats.readers.positions import Positions
from heimdall.formats.readers.recordings.channel import occupied_channel
from heimdall.formats.readers.recordings.clipping import clipping_note
from heimdall.formats.readers.recordings.grouping import Who
from heimdall.formats.readers.recordings.heard import EPOCH, Heard
from heimdall.formats.readers.recordings.riff import is_wave
from heimdall.formats.readers.recordings.takes import Take, Together, labels, sessions_of
from heimdall.formats.readers.source import folder_of
from heimdall.formats.text import composed
from heimdall.observation import Observation, Reception
from heimdall.validation.reception import vet

SUFFIX = ".wav"
_NAME = re.compile(
    r"(?P<utc>\d{8}T\d{6})Z_(?P<frequency_hz>\d{1,12})(?:_(?P<station>.+?))?_iq(?: ?\(\d{1,3}\))?\.wav", re.IGNORECASE
)
"""A browser numbers what it downloads once more."""
_NAMING = "name it <UTC, as 20200813T065220Z>_<frequency in Hz>_<station>_iq.wav"
_FOREIGN = (
    "it is of another recorder than the others, which are KiwiSDRs' (neither its name nor a stamp in it is theirs): write all as"
    " SigMF to locate them together"
)
_STAMPS_WITHIN = 4096
"""Bytes within which a KiwiSDR recording has its first stamp."""
_WITHIN_NAMED_S = 0.5
"""Where in the second that its name states a recording without stamps is taken to begin."""
_PASSBAND_HZ = 10_000.0
"""What the receiver's filter leaves of the 12 kHz recorded, taken where nothing stands out in them."""


@dataclass(frozen=True)
class _Title:
    """What a file's name says."""

    path: str
    station: str
    frequency_hz: float | None = None
    named_utc: datetime | None = None
    flaw: str | None = None


def is_kiwisdr(files: Files) -> bool:
    """A folder whose WAV files are a KiwiSDR's, by a name or by the stamps in one of them."""
    names = list(names_ending(files, SUFFIX))
    return any(kiwisdr_who(name) for name in names) or any(
        _is_stamped(content_or_flaw(files, name)[0]) for name in names
    )


def _is_stamped(content: bytes) -> bool:
    return b"kiwi" in content[:_STAMPS_WITHIN]


def _is_foreign(path: str, files: Files) -> bool:
    """A WAV file without the stamps of a KiwiSDR, whose name is not a KiwiSDR's either."""
    content, unreadable = content_or_flaw(files, path)
    return unreadable is None and is_wave(content) and not _is_stamped(content)


def kiwisdr_who(path: str) -> Who | None:
    """The receiver by a name that a KiwiSDR's recorder gives; None for any other."""
    found = _NAME.fullmatch(composed(path.rpartition("/")[2]))
    return None if found is None else Who(found["station"] or "", float(found["frequency_hz"]))


def read_kiwisdr(name: str, files: Files, positions: Positions | None = None) -> list[Observation]:
    """An observation for each span of time that receivers share, of all WAV files of a folder.

    A file that is broken, or whose name does not say what it is, becomes a flagged reception without samples.
    Raises InputError where no name says what was recorded, or where names say different frequencies.
    """
    titles = [_title(path, files) for path in names_ending(files, SUFFIX)]
    frequency_hz = _one_frequency_hz(name, titles)
    together = sessions_of([_take(title, files) for title in titles])
    positions = positions or Positions(files)
    unheard = positions.unheard(title.station for title in titles)
    names = [f"{name}-{label}" for label in labels(together)] if len(together) > 1 else [name]
    return [
        _observation(each, frequency_hz, session.with_notes(unheard), positions)
        for each, session in zip(names, together, strict=True)
    ]


def _title(path: str, files: Files) -> _Title:
    file_name = composed(path.rpartition("/")[2])
    found = _NAME.fullmatch(file_name)
    try:
        named_utc = datetime.strptime(found["utc"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        named_utc = None
    stem = file_name[: -len(SUFFIX)]
    if found is None and _is_foreign(path, files):
        return _Title(path, stem, flaw=_FOREIGN)
    if found is None or named_utc is None:
        return _Title(path, stem, flaw=f"its name does not say what was recorded: {_NAMING}")
    station = found["station"] or composed(folder_of(path).rpartition("/")[2])
    if not station:
        return _Title(path, stem, float(found["frequency_hz"]), named_utc, f"its name has no station: {_NAMING}")
    return _Title(path, station, float(found["frequency_hz"]), named_utc)


def _one_frequency_hz(name: str, titles: Sequence[_Title]) -> float:
    frequencies_hz = sorted({title.frequency_hz for title in titles if title.frequency_hz is not None})
    if len(frequencies_hz) > 1:
        several = ", ".join(f"{frequency_hz:.0f}" for frequency_hz in frequencies_hz)
        raise InputError(f"{name}: recordings at {several} Hz: put those of one frequency into one folder")
    if not frequencies_hz:
        raise InputError(f"{name}: {titles[0].path} and the others do not say what was recorded; {_NAMING}")
    return frequencies_hz[0]


def _take(title: _Title, files: Files) -> Take:
    if title.flaw is not None or title.named_utc is None:
        return Take(title.path, title.station, title.named_utc, flaw=title.flaw)
    content, unreadable = content_or_flaw(files, title.path)
    if unreadable is not None:
        return Take(title.path, title.station, title.named_utc, flaw=unreadable)
    try:
        recording, untimed = _recording(content)
    except BrokenRecordingError as error:
        return Take(title.path, title.station, title.named_utc, flaw=str(error))
    missing = recording.missing_bytes
    ends_early = (f"{title.path} ends {missing} bytes early; what is there is used",) if missing else ()
    level_only = (f"{title.station}: {untimed}: only its level is used",) if untimed else ()
    notes = (*level_only, *ends_early, *clipping_note(title.station, recording.samples))
    return Take(title.path, title.station, title.named_utc, _heard(recording, title.named_utc), notes=notes)


def _recording(content: bytes) -> tuple[KiwiRecording, str | None]:
    """What is in a file, and why it has no arrival time, where too few stamps say when its samples were taken."""
    try:
        return parse_kiwi_wav(content), None
    except TooFewStampsError as error:
        recording = parse_unstamped_wav(content)
        if recording is None:
            raise
        return recording, str(error)


def _heard(recording: KiwiRecording, named_utc: datetime) -> Heard:
    """The stamps count from the beginning of a GPS week; which one, the name says, and the second where there are none."""
    if recording.start_s is None:
        return Heard(recording.samples, recording.sample_rate_hz, named_utc, _WITHIN_NAMED_S)
    begin_s = week_begin_utc_s(recording.start_s, (named_utc - EPOCH).total_seconds())
    whole_s = math.floor(recording.start_s)
    start_utc = EPOCH + timedelta(seconds=begin_s + whole_s)
    return Heard(
        recording.samples, recording.sample_rate_hz, start_utc, recording.start_s - whole_s, recording.clock_sigma_s
    )


def _observation(name: str, frequency_hz: float, session: Together, positions: Positions) -> Observation:
    origin = min((take.heard.start_utc for take in session.takes if take.heard and not take.flaw), default=None)
    stations = [take.station for take in session.takes]
    placed = [_reception(take, positions, origin, stations) for take in session.takes]
    receptions = tuple(reception for reception, _ in placed)
    channel = occupied_channel(receptions, _PASSBAND_HZ)
    truth, unread = positions.truth()
    return vet(
        Observation(
            id=name,
            frequency_hz=frequency_hz,
            bandwidth_hz=channel.bandwidth_hz,
            receptions=receptions,
            time_utc=origin or next((take.named_utc for take in session.takes if take.named_utc), None),
            truth=truth,
            notes=(channel.note, *(note for _, notes in placed for note in notes), *unread, *session.notes),
        )
    )


def _reception(
    take: Take, positions: Positions, origin: datetime | None, stations: Sequence[str]
) -> tuple[Reception, tuple[str, ...]]:
    receiver, flaw, notes = positions.receiver(take.station, folder=folder_of(take.path), among=stations)
    flaw = take.flaw or flaw
    if take.heard is None or origin is None:
        return Reception(receiver, flaw=flaw), notes
    return (
        Reception(
            replace(receiver, clock_sigma_s=take.heard.clock_sigma_s),
            samples=take.heard.samples,
            sample_rate_hz=take.heard.sample_rate_hz,
            start_s=(take.heard.start_utc - origin).total_seconds() + take.heard.start_rest_s,
            flaw=flaw,
        ),
        notes,
    )
