"""Locating from a program: a path or observations in, fixes out that print as a table."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import overload

from heimdall.errors import InputError
from heimdall.fix import Fix
from heimdall.formats.readers.read import read_observations
from heimdall.formats.transmitters import known as known_transmitters
from heimdall.formats.wording import coordinates_text, length_text
from heimdall.formats.writers.write import write_each
from heimdall.locating import Method
from heimdall.locating.evidence_map import made_of
from heimdall.locating.located import Located
from heimdall.locating.method import locate_each
from heimdall.observation import NOT_READ, Observation
from heimdall.transmitter import with_near
from heimdall.validation.given import vetted

_ROWS_SHOWN = 20
_COLUMNS = ("id", "status", "place", "95 % within", "error", "method")
Source = str | PathLike[str] | Observation | Iterable[Observation]


@dataclass(frozen=True, eq=False, repr=False)
class Fixes(Sequence[Fix]):
    """The fixes of observations, in their order; `str()` is a table of the first twenty."""

    observations: tuple[Observation, ...]
    located: tuple[Located, ...]
    """Each fix with its posterior."""

    def __len__(self) -> int:
        return len(self.located)

    @overload
    def __getitem__(self, index: int) -> Fix: ...
    @overload
    def __getitem__(self, index: slice) -> list[Fix]: ...
    def __getitem__(self, index: int | slice) -> Fix | list[Fix]:
        found = self.located[index]
        return found.fix if isinstance(found, Located) else [each.fix for each in found]

    def write(self, path: str | PathLike[str]) -> None:
        """To a file of the kind that its suffix says; see `heimdall.write_fixes`."""
        target = Path(path)
        write_each(made_of(self.located, self.observations, target.suffix.lower()), target)

    def __str__(self) -> str:
        rows = [_COLUMNS, *map(_row, self[:_ROWS_SHOWN])]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        more = len(self) - _ROWS_SHOWN
        return "\n".join(lines + ([f"... and {more} more"] if more > 0 else []))

    def __repr__(self) -> str:
        return f"<{len(self)} fixes>\n{self}"


def locate(source: Source, *, model: str | PathLike[str] | None = None, method: str = "auto") -> Fixes:
    """Locate the transmitter of every observation in `source`: a path as `heimdall locate` takes it, or observations.

    Observations that a program made are vetted as those of a file are: a reception that must not be used is told of in its
    fix, and what is doubtful in the notes of `Fixes.observations`.

    `model` is a bundle (`.heimdall`); `method` is "auto", "likelihood", "learned" or "least-squares". An observation with too
    few receivers becomes a fix with status `insufficient`, and the others go on; what of a path cannot be read is told by a
    Python warning. A fix names the known transmitter that it may well be. Raises InputError, a ValueError, with one line that
    says what to do.
    """
    if method not in list(Method):
        raise InputError(f"there is no method `{method}`: take one of {', '.join(Method)}")
    observations = _observations(source)
    learned = None
    if model is not None:
        from heimdall.locating.by_network import Learned  # onnxruntime takes its time to load

        learned = Learned.load(Path(model))
    listed = known_transmitters()
    located = (
        replace(each, fix=with_near(each.fix, observation, listed))
        for each, observation in zip(locate_each(observations, Method(method), learned), observations, strict=True)
    )
    return Fixes(tuple(observations), tuple(located))


def _observations(source: Source) -> Sequence[Observation]:
    if isinstance(source, Observation):
        return vetted([source])
    if not isinstance(source, str | PathLike):
        return vetted(source)
    observations = read_observations(source)
    for note in (note for each in observations for note in each.notes if note.startswith(NOT_READ)):
        warnings.warn(note, stacklevel=3)
    return observations


def _row(fix: Fix) -> tuple[str, ...]:
    error = "" if fix.truth is None else length_text(fix.truth.error_m)
    place = reach = "-"
    if fix.latitude_deg is not None and fix.longitude_deg is not None and (reach_m := fix.reach_m) is not None:
        place, reach = coordinates_text(fix.latitude_deg, fix.longitude_deg), length_text(reach_m)
    return fix.id, fix.status.value, place, reach, error, fix.method
