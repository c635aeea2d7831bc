"""The start times of a session: when it began, whatever a clock that is far off says, and how exactly they are written.

A clock is no better than the digits that came of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from heimdall.formats.readers.arrival_digits import FINEST_S
from heimdall.formats.readers.recordings.heard import EPOCH
from heimdall.formats.readers.sigmf.sigmf_recording import SigmfRecording
from heimdall.formats.readers.sigmf.streams import Stream

_PADDING = 3
"""So many zeros at the end are hardly ever a clock's own digits."""
_SCHEDULED = 2
"""A recording may be made to begin on a hundredth of a second, which its digits then say exactly."""

_Span: TypeAlias = tuple[datetime, float, float]
"""The whole second of the start, begin and end in s since 1970."""


def session_begin(recordings: Sequence[SigmfRecording]) -> datetime:
    """The earliest start of the largest set that overlaps with one recording; the epoch where none says when it was made.

    All start times count from there, so a stamp of another year would take the digits of the others. Clocks to rely on count
    before those that are none.
    """
    timed = [each for each in recordings if each.start_utc is not None]
    clocked = [each for each in timed if each.clock_sigma_s is not None]
    heard = [span for each in clocked or timed if (span := _span_s(each)) is not None]
    if not heard:
        return min((each.start_utc for each in timed if each.start_utc is not None), default=EPOCH)
    together = max((_overlapping(span, heard) for span in heard), key=len)
    return min(start for start, _, _ in together)


def _span_s(recording: SigmfRecording) -> _Span | None:
    """None where it holds no samples, or no rate that says how long they last."""
    start, samples, rate_hz = recording.start_utc, recording.samples, recording.sample_rate_hz
    if start is None or samples is None or rate_hz is None or not 0 < rate_hz < math.inf:
        return None
    begin_s = (start - EPOCH).total_seconds() + recording.start_rest_s
    return start, begin_s, begin_s + len(samples) / rate_hz


def _overlapping(span: _Span, others: Sequence[_Span]) -> list[_Span]:
    """Those recorded while that one was, itself among them."""
    _, begin_s, end_s = span
    return [each for each in others if each is span or (each[1] < end_s and each[2] > begin_s)]


def written_sigmas_s(fractions: Sequence[str | None]) -> list[float]:
    """What the digits of the seconds' fractions leave open, as standard deviations; 0 where they say it exactly.

    Receivers that begin on a pulse of the second write no fraction, or zeros: that says nothing of how exactly they know it.
    Zeros behind a millisecond are a program's, unless all begin at that very fraction.
    """
    padded = [each.rstrip("0") for each in fractions if each and len(each) - len(each.rstrip("0")) >= _PADDING]
    digits = max(map(len, padded), default=0)
    scheduled = digits <= _SCHEDULED or (len(padded) > 1 and len(set(padded)) == 1)
    return [_sigma_s(each, None if scheduled else digits) for each in fractions]


def _sigma_s(fraction: str | None, of_padded: int | None) -> float:
    own = fraction.rstrip("0") if fraction else ""
    if fraction and of_padded is not None and len(fraction) - len(own) >= _PADDING:
        return 10.0**-of_padded / math.sqrt(12)
    return 10.0 ** -len(fraction) / math.sqrt(12) if fraction and own else 0.0


def with_written_clocks(streams: Sequence[Stream]) -> list[Stream]:
    """The recordings with clocks that are no better than their start times are written, and notes that say so."""
    fractions = [None if each.recording is None else each.recording.start_digits for each in streams]
    return [_no_better(each, sigma_s) for each, sigma_s in zip(streams, written_sigmas_s(fractions), strict=True)]


def _no_better(stream: Stream, written_s: float) -> Stream:
    recording = stream.recording
    sigma_s = None if recording is None else recording.clock_sigma_s
    # What is negative or not a number stays as it stands, to be refused: a sum of squares would turn it into one that passes.
    if recording is None or sigma_s is None or written_s < FINEST_S or not 0 <= sigma_s < written_s:
        return stream
    note = (
        f"{stream.name}: its core:datetime is written to {written_s * math.sqrt(12):.1g} s, more coarsely than its clock "
        "runs: its arrival time is taken to be no better than that"
    )
    recording = replace(recording, clock_sigma_s=math.hypot(sigma_s, written_s))
    return replace(stream, recording=recording, notes=(*stream.notes, note))
