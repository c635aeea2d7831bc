"""A SigMF session: one collection whose streams are the receivers' recordings, or a folder of recordings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from heimdall.errors import InputError
from heimdall.formats.readers.limits import Files, Limits, names_ending
from heimdall.formats.readers.recordings.channel import occupied_channel
from heimdall.formats.readers.recordings.tuning import Tuning, common_frequency_hz, tuned_to
from heimdall.formats.readers.sigmf.accounts import RECEIVERS_KEY, receptions_without_samples, remarks
from heimdall.formats.readers.sigmf.annotated import Band, stated_channel
from heimdall.formats.readers.sigmf.metadata import UnreadableRecordingError, load_json, unknown_key
from heimdall.formats.readers.sigmf.sigmf_recording import SigmfRecording
from heimdall.formats.readers.sigmf.spans import by_span
from heimdall.formats.readers.sigmf.start_times import session_begin, with_written_clocks
from heimdall.formats.readers.sigmf.stated import (
    BANDWIDTH_KEY,
    FREQUENCY_KEY,
    TRANSMITTER_HEIGHT_KEY,
    TRUTH_KEY,
    stated_truth,
    with_plain_values,
)
from heimdall.formats.readers.sigmf.streams import Stream, apart, listed_path, listed_stream, stream_at
from heimdall.formats.readers.sigmf.values import number
from heimdall.formats.readers.source import COLLECTION_SUFFIX, META_SUFFIX
from heimdall.formats.text import composed
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.validation.reception import vet

CLOCKS_KEY = "heimdall:clocks_from"
"""The known transmitter whose signal set the receivers' clocks."""
_OWN_KEYS = (TRUTH_KEY, TRANSMITTER_HEIGHT_KEY, FREQUENCY_KEY, BANDWIDTH_KEY, RECEIVERS_KEY, CLOCKS_KEY)


def read_collection(path: str, files: Files, limits: Limits) -> Observation:
    """The session of one collection; streams are looked for beside it first, then anywhere among the files.

    Raises InputError for a collection that is no collection; a stream that cannot be read becomes a flagged reception.
    """
    about = _collection(path, files[path])
    folder = path.rpartition("/")[0]
    streams = [listed_stream(stream, folder, files, limits) for stream in about.get("core:streams") or []]
    session = path.rpartition("/")[2][: -len(COLLECTION_SUFFIX)]
    return _observation(session, streams, about)


def recordings_named(path: str, files: Files) -> set[str] | None:
    """The metadata that a collection names; None for a collection that is none."""
    try:
        about = _collection(path, files[path])
    except InputError:
        return None
    streams = about.get("core:streams") or []
    found = (listed_path(stream, path.rpartition("/")[0], files) for stream in streams)
    return {each for each in found if each is not None}


def read_recordings(session: str, files: Files, limits: Limits) -> list[Observation]:
    """All recordings among the files, as in a folder without a collection: a session, or one for each take of its receivers."""
    spans = by_span(apart([stream_at(path, files, limits) for path in names_ending(files, META_SUFFIX)]))
    several = len(spans) > 1
    return [
        _observation(f"{session}-{span.label}" if several else session, span.streams, {}, span.notes) for span in spans
    ]


def _collection(path: str, content: bytes) -> Mapping[str, Any]:
    try:
        document = load_json(content)
    except UnreadableRecordingError as error:
        raise InputError(f"{path}: {error}") from error
    about = document.get("collection") if isinstance(document, dict) else None
    if not isinstance(about, dict) or not isinstance(about.get("core:streams") or [], list):
        raise InputError(
            f'{path}: it is not a SigMF collection; {{"collection": {{"core:streams": [...]}}}} is expected'
        )
    return about


def _observation(
    session: str, streams: Sequence[Stream], about: Mapping[str, Any], said: Sequence[str] = ()
) -> Observation:
    streams = with_written_clocks(streams)
    about, changed = with_plain_values(about)
    truth, of_truth = stated_truth(about)
    recordings = [stream.recording for stream in streams if stream.recording is not None]
    tuned_hz = _frequency_hz(session, streams, about)
    channel, channel_notes = _channel(recordings, about, tuned_hz)
    frequency_hz = tuned_hz if channel is None else channel.centre_hz
    origin = session_begin(_used(streams, frequency_hz, channel) or recordings)
    heard = [_reception(stream, frequency_hz, channel, origin) for stream in streams]
    recorded = {reception.receiver.name for reception in heard}
    receptions = (*heard, *receptions_without_samples(about, recorded))
    bandwidth_hz, notes = (channel.width_hz, channel_notes) if channel is not None else _occupied(receptions)
    said = [*changed, *of_truth, *said, *(note for stream in streams for note in stream.notes)]
    moved = _shifts(zip(streams, heard, strict=True), tuned_hz, frequency_hz)
    return vet(
        Observation(
            id=session,
            frequency_hz=frequency_hz,
            bandwidth_hz=bandwidth_hz,
            receptions=receptions,
            time_utc=origin,
            transmitter_height_m=number(about.get(TRANSMITTER_HEIGHT_KEY)),
            truth=truth,
            notes=(*notes, *_unknown(about), *said, *moved, *remarks(about)),
        )
    )


def _used(streams: Sequence[Stream], frequency_hz: float, channel: Band | None) -> list[SigmfRecording]:
    """The recordings with nothing against them."""
    sound = [stream.recording for stream in streams if stream.recording is not None and stream.flaw is None]
    return [each for each in sound if _disagreement(each, frequency_hz, channel) is None]


def _frequency_hz(session: str, streams: Sequence[Stream], about: Mapping[str, Any]) -> float:
    """The frequency most recordings have; where there are none, that of the session."""
    stated = [_tuning(stream.recording) for stream in streams if stream.recording is not None]
    known = [tuning for tuning in stated if tuning is not None]
    if known:
        return common_frequency_hz(known)
    of_session = number(about.get(FREQUENCY_KEY))
    if of_session is not None and 0 < of_session < math.inf:
        return of_session
    raise InputError(f"{session}: {_without_frequency(streams)}")


def _without_frequency(streams: Sequence[Stream]) -> str:
    if not streams:
        return "its collection names no recording: list them in core:streams"
    flaws = "; ".join(f"{stream.name}: {stream.flaw}" for stream in streams if stream.flaw)
    because = f" ({flaws})" if flaws else ""
    if all(stream.recording is None for stream in streams):
        return f"no recording in it can be read{because}"
    wrong = ", ".join(dict.fromkeys(f"{each.frequency_hz:.6g} Hz" for each in _stating(streams)))
    can_be = f" that can be right, but {wrong}: write the centre in Hz" if wrong else ""
    return f"no recording in it has a core:frequency{can_be}{because}"


def _stating(streams: Iterable[Stream]) -> Iterator[SigmfRecording]:
    """The recordings that state a frequency, whatever it is."""
    recordings = (stream.recording for stream in streams if stream.recording is not None)
    return (each for each in recordings if each.frequency_hz is not None)


def _tuning(recording: SigmfRecording | None) -> Tuning | None:
    """Where it listened; None where it does not say, or says nothing that can be."""
    frequency_hz = None if recording is None else recording.frequency_hz
    if recording is None or frequency_hz is None or not 0 < frequency_hz < math.inf:
        return None
    return Tuning(frequency_hz, recording.sample_rate_hz)


def _shifts(heard: Iterable[tuple[Stream, Reception]], tuned_hz: float, frequency_hz: float) -> Iterator[str]:
    """A note on each recording that is used and was tuned elsewhere than most are."""
    for stream, reception in heard:
        if reception.flaw is not None:
            continue
        tuning, samples = _tuning(stream.recording), None if stream.recording is None else stream.recording.samples
        if tuning is not None and samples is not None and tuning.moves(tuned_hz, len(samples)):
            yield tuning.note(stream.name, frequency_hz)


def _unknown(about: Mapping[str, Any]) -> list[str]:
    keys = [key for key in about if key.startswith("heimdall:") and key not in _OWN_KEYS]
    return [f"collection: {unknown_key(key, _OWN_KEYS)}" for key in keys]


def _channel(
    recordings: Iterable[SigmfRecording], about: Mapping[str, Any], tuned_hz: float
) -> tuple[Band | None, tuple[str, ...]]:
    """What the annotations or the session state; None where they do not."""
    stated, notes = stated_channel([recording.bands for recording in recordings])
    if stated is None:
        width_hz = number(about.get(BANDWIDTH_KEY)) or 0.0
        return (Band(tuned_hz, width_hz) if 0 < width_hz < math.inf else None), ()
    channel = stated.about(tuned_hz)
    if channel.centre_hz == tuned_hz:
        return channel, notes
    moved = f"the annotated channel is located: {channel.centre_hz:.12g} Hz, where the receivers are tuned to {tuned_hz:.12g} Hz"
    return channel, (*notes, moved)


def _occupied(receptions: Sequence[Reception]) -> tuple[float, tuple[str, ...]]:
    """What the signal fills, and a note that says so."""
    channel = occupied_channel(receptions)
    return channel.bandwidth_hz, (f"no annotation states the channel: {channel.note}",)


def _reception(stream: Stream, frequency_hz: float, channel: Band | None, origin: datetime) -> Reception:
    recording = stream.recording
    if recording is None:
        return Reception(Receiver(stream.name, math.nan, math.nan), flaw=stream.flaw)
    place = recording.place or Place(math.nan, math.nan)
    samples, tuning = recording.samples, _tuning(recording)
    if samples is not None and tuning is not None:
        samples = tuned_to(frequency_hz, samples, tuning)
    start_s = recording.start_rest_s
    if recording.start_utc is not None:
        start_s += (recording.start_utc - origin).total_seconds()
    return Reception(
        Receiver(
            composed(recording.receiver),
            place.latitude_deg,
            place.longitude_deg,
            place.height_m or 0.0,
            recording.clock_sigma_s,
            recording.level_sigma_db,
            recording.position_sigma_m,
        ),
        samples=samples,
        sample_rate_hz=recording.sample_rate_hz,
        start_s=start_s,
        flaw=stream.flaw or _disagreement(recording, frequency_hz, channel),
    )


def _disagreement(recording: SigmfRecording, frequency_hz: float, channel: Band | None) -> str | None:
    if recording.place is None:
        return "no position: its metadata have no core:geolocation with a GeoJSON Point"
    if recording.frequency_hz is None:
        return "its first capture has no core:frequency"
    tuning = _tuning(recording)
    if tuning is None:
        return f"its core:frequency of {recording.frequency_hz:.6g} Hz cannot be right"
    width_hz = None if channel is None else channel.width_hz
    return None if tuning.holds(frequency_hz, width_hz) else tuning.flaw(frequency_hz)
