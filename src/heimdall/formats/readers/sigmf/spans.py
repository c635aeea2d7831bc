"""SigMF recordings that no collection sorts: where receivers recorded several times, a session for each span they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from heimdall.formats.readers.recordings.heard import Heard
from heimdall.formats.readers.recordings.takes import Take, Together, labels, sessions_of
from heimdall.formats.readers.sigmf.sigmf_recording import SigmfRecording
from heimdall.formats.readers.sigmf.streams import Stream
from heimdall.formats.text import composed
from heimdall.observation import Place
from heimdall.validation.reception import NO_SAMPLES

_NO_TIME = "it has no start time: to which take of the others it belongs is not known"


@dataclass(frozen=True)
class Span:
    """The recordings of one session, its label, and what is said of all."""

    streams: Sequence[Stream]
    label: str = ""
    notes: tuple[str, ...] = ()


def by_span(streams: Sequence[Stream]) -> list[Span]:
    """All recordings as one session, unless a receiver recorded again after it had ended."""
    takes = _takes(streams)
    if len({take.station for take in takes}) < 2 or not _repeats(takes):
        return [Span(streams)]
    together = sessions_of(takes)
    if len(together) == 1 and not any(_is_used(take) for take in together[0].takes):
        return [Span(streams)]
    by_path = {stream.path: stream for stream in streams}
    return [_span(session, label, by_path) for session, label in zip(together, labels(together), strict=True)]


def _takes(streams: Sequence[Stream]) -> list[Take]:
    """Two recordings of one place are takes of one receiver, whatever they are called."""
    names: dict[Place, str] = {}
    takes = []
    for stream in streams:
        recording = stream.recording
        place = None if recording is None else recording.place
        name = composed(stream.name if recording is None else recording.receiver)
        station = name if place is None else names.setdefault(place, name)
        takes.append(_take(stream, station))
    return takes


def _take(stream: Stream, station: str) -> Take:
    recording = stream.recording
    heard = None if recording is None or stream.flaw else _heard(recording)
    return Take(
        stream.path,
        station,
        None if recording is None else recording.start_utc,
        heard,
        stream.flaw or (_no_order(recording) if heard is None else None),
        stream.notes,
        () if recording is None else (recording.frequency_hz, recording.place),
    )


def _heard(recording: SigmfRecording) -> Heard | None:
    """What can be put in order of time; None where time, samples or rate are missing."""
    rate_hz, samples = recording.sample_rate_hz, recording.samples
    if samples is None or len(samples) == 0 or rate_hz is None or not 0 < rate_hz < math.inf:
        return None
    if recording.start_utc is None:
        return None
    return Heard(samples, rate_hz, recording.start_utc, recording.start_rest_s, recording.clock_sigma_s)


def _no_order(recording: SigmfRecording | None) -> str:
    """Why it cannot be put in order of time."""
    samples = None if recording is None else recording.samples
    return NO_SAMPLES if samples is not None and len(samples) == 0 else _NO_TIME


def _repeats(takes: Sequence[Take]) -> bool:
    """Whether a receiver has two recordings of which one ends before the other begins."""
    heard = [(take.station, take.heard) for take in takes if take.heard is not None]
    return any(
        first == second and (_before(one, two) or _before(two, one))
        for (first, one), (second, two) in combinations(heard, 2)
    )


def _before(one: Heard, two: Heard) -> bool:
    """To half a sample: times since 1970 have no more digits than that."""
    return one.end_s - two.begin_s <= 0.5 / one.sample_rate_hz


def _is_used(take: Take) -> bool:
    return take.heard is not None and take.flaw is None


def _span(session: Together, label: str, by_path: dict[str, Stream]) -> Span:
    return Span([_stream(take, by_path[take.path]) for take in session.takes], label, session.notes)


def _stream(take: Take, stream: Stream) -> Stream:
    """The recording as its take has it: joined with what followed, or with the reason why it is not used."""
    recording, heard = stream.recording, take.heard
    if recording is not None and heard is not None:
        recording = replace(
            recording,
            samples=heard.samples,
            sample_rate_hz=heard.sample_rate_hz,
            start_rest_s=heard.start_rest_s,
            clock_sigma_s=heard.clock_sigma_s,
        )
    return replace(stream, recording=recording, flaw=take.flaw, notes=())
