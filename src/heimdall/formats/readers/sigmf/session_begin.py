"""When a session began: by the recordings that were made together, whatever a clock that is far off says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from heimdall.formats.readers.recordings.heard import EPOCH
from heimdall.formats.readers.sigmf.sigmf_recording import SigmfRecording

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
