"""Files of one folder, sorted by when they were recorded: a session for each span that receivers share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from heimdall.formats.readers.recordings.heard import EPOCH, Heard, joined

_LEAST_SHARED_S = 1.0
_LEAST_SHARE = 0.1
"""A span shared is worth a session from a second on, or from a tenth of the shortest recording on."""


@dataclass(frozen=True, eq=False)
class Take:
    """One file: who recorded it and when, by its name, and what is in it, or why it cannot be used."""

    path: str
    station: str
    named_utc: datetime | None = None
    heard: Heard | None = None
    flaw: str | None = None
    notes: tuple[str, ...] = ()
    kind: tuple[object, ...] = ()
    """What two files of a station have in common if they are parts of one recording: its frequency, its place."""

    def when_s(self) -> float:
        """The beginning, by its stamps or else its name; the epoch where neither says."""
        if self.heard is not None:
            return self.heard.begin_s
        return 0.0 if self.named_utc is None else (self.named_utc - EPOCH).total_seconds()


@dataclass(frozen=True, eq=False)
class Together:
    """The takes of one session, in the order of their paths, those that cannot be used among them with their flaw."""

    takes: tuple[Take, ...]
    notes: tuple[str, ...] = ()

    def label(self) -> str:
        """The UTC from which on all have recorded: what tells the sessions of one folder apart."""
        starts = [take.heard.start_utc for take in self.takes if take.heard is not None and take.flaw is None]
        return max(starts).strftime("%Y%m%dT%H%M%SZ")

    def with_notes(self, notes: Sequence[str]) -> Together:
        return replace(self, notes=(*self.notes, *notes))


def labels(together: Sequence[Together]) -> list[str]:
    """Those of the sessions of one folder; of some that began within a second all but the first have a number."""
    found: list[str] = []
    for label in (session.label() for session in together):
        alike = sum(each.partition("-")[0] == label for each in found)
        found.append(f"{label}-{alike + 1}" if alike else label)
    return found


def sessions_of(takes: Sequence[Take]) -> list[Together]:
    """One session for each span that receivers share, in the order of time; a split recording is joined.

    A take that nobody shares, or that holds nothing, goes to the session nearest in time: with its flaw, or in a note where
    the session has that receiver already.
    """
    joined = [take for each in _by_station(takes) for take in _joined(each)]
    sound = [take for take in joined if take.heard is not None]
    groups = _shared(sound)
    used = {id(take) for group in groups for take in group}
    left = [take for take in joined if id(take) not in used]
    if len(sound) > 1:
        left = [take if take.heard is None else _stranger(take) for take in left]
    if not groups:
        return [_together(left)]
    rest: list[list[Take]] = [[] for _ in groups]
    for take in left:
        rest[_nearest(take, groups)].append(take)
    return [_with_rest(group, others) for group, others in zip(groups, rest, strict=True)]


def _by_station(takes: Sequence[Take]) -> Iterator[list[Take]]:
    ordered = sorted(takes, key=lambda take: (take.station, take.when_s()))
    return (list(group) for _, group in groupby(ordered, key=lambda take: take.station))


def _joined(takes: Sequence[Take]) -> list[Take]:
    """The takes of one station, those that follow each other put together."""
    joined: list[Take] = []
    for take in takes:
        both = _join(joined[-1], take) if joined else None
        joined = [*joined[:-1], both] if both is not None else [*joined, take]
    return joined


def _join(first: Take, second: Take) -> Take | None:
    """One recording of two; None where they are no two parts of one."""
    if first.heard is None or second.heard is None or first.kind != second.kind:
        return None
    both = joined(first.heard, second.heard)
    if both is None:
        return None
    note = f"{second.path} follows {first.path} after {both.gap_s:.2g} s: they are one recording"
    return replace(first, heard=both.heard, notes=(*first.notes, *second.notes, note))


def _shared(takes: Sequence[Take]) -> list[list[Take]]:
    """The largest sets of takes that were recorded at one time, each by two stations at least, in the order of time."""
    spans = [(take.heard.begin_s, take.heard.end_s) for take in takes if take.heard is not None]
    edges = sorted({edge for span in spans for edge in span})
    sets = {
        frozenset(index for index, (begin_s, end_s) in enumerate(spans) if begin_s <= early and end_s >= late)
        for early, late in pairwise(edges)
    }
    worth = [each for each in sets if len({takes[index].station for index in each}) > 1 and _is_worth(each, spans)]
    largest = [each for each in worth if not any(each < other for other in worth)]
    largest.sort(key=lambda each: max(spans[index][0] for index in each))
    return [[takes[index] for index in sorted(each)] for each in largest]


def _is_worth(members: frozenset[int], spans: Sequence[tuple[float, float]]) -> bool:
    shared_s = min(spans[index][1] for index in members) - max(spans[index][0] for index in members)
    shortest_s = min(spans[index][1] - spans[index][0] for index in members)
    return shared_s >= min(_LEAST_SHARED_S, _LEAST_SHARE * shortest_s)


def _stranger(take: Take) -> Take:
    utc = (EPOCH + timedelta(seconds=round(take.when_s()))).strftime("%Y-%m-%dT%H:%M:%SZ")
    return replace(take, flaw=take.flaw or f"recorded at another time, {utc}: no other receiver recorded then")


def _nearest(take: Take, groups: Sequence[Sequence[Take]]) -> int:
    return min(range(len(groups)), key=lambda index: min(abs(take.when_s() - each.when_s()) for each in groups[index]))


def _with_rest(group: Sequence[Take], rest: Sequence[Take]) -> Together:
    stations = {take.station for take in group}
    notes = [f"{take.path} is not used: {take.flaw}" for take in rest if take.station in stations]
    return _together([*group, *(take for take in rest if take.station not in stations)], notes)


def _together(takes: Sequence[Take], notes: Sequence[str] = ()) -> Together:
    ordered = sorted(takes, key=lambda take: take.path)
    return Together(tuple(ordered), (*(note for take in ordered for note in take.notes), *notes))
