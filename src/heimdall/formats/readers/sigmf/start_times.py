"""How exactly the start times of a session are written: a clock is no better than the digits that came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from heimdall.formats.readers.sigmf.streams import Stream

_PADDING = 3
"""So many zeros at the end are hardly ever a clock's own digits."""
_SCHEDULED = 2
"""A recording may be made to begin on a hundredth of a second, which its digits then say exactly."""


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
    if recording is None or sigma_s is None or not 0 <= sigma_s < written_s:
        return stream
    note = (
        f"{stream.name}: its core:datetime is written to {written_s * math.sqrt(12):.1g} s, more coarsely than its clock "
        "runs: its arrival time is taken to be no better than that"
    )
    recording = replace(recording, clock_sigma_s=math.hypot(sigma_s, written_s))
    return replace(stream, recording=recording, notes=(*stream.notes, note))
