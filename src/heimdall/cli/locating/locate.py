"""`heimdall locate`: recordings or measurements to positions with regions."""

from __future__ import annotations

import pickle
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Self, TypeAlias

import typer

from heimdall.cli.app import app
from heimdall.cli.locating.fix_table import show
from heimdall.cli.locating.reader_notes import Notes
from heimdall.cli.locating.receivers_synchronise import (
    AUTO,
    ReferenceOption,
    ReferenceSessionOption,
    by_reference,
    one_session,
)
from heimdall.cli.locating.transmitters import TransmittersOption
from heimdall.cli.output import JobsOption, JsonOption, OnOption, console, progress
from heimdall.cli.values import place_of, written_place
from heimdall.errors import InputError
from heimdall.fix import Fix, Status
from heimdall.formats.reports import check_picture, is_drawn, json_pieces
from heimdall.formats.wording import frequency_text
from heimdall.locating import Method
from heimdall.observation import Place
from heimdall.validation.recorded_width import within_recordings

if TYPE_CHECKING:
    from heimdall.correction import Correction
    from heimdall.formats.maps.map_scene import EvidenceMap
    from heimdall.formats.reports import Made
    from heimdall.locating.by_network import Learned
    from heimdall.locating.located import Located
    from heimdall.observation import Observation
    from heimdall.transmitter import KnownTransmitter

_Result: TypeAlias = "tuple[Fix, list[EvidenceMap]]"
_Chunk: TypeAlias = "tuple[int, list[Observation]]"
"""Observations, and how many come before them."""
_ROWS_SHOWN = 20
_MANY = 256
"""Observations from which on several processes are worth their start."""
_CHUNK = 32


@app.command()
def locate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="SigMF session, folder of KiwiSDR *_iq.wav or other IQ WAV, or measurement file (JSON lines, CSV)."
        ),
    ],
    method: Annotated[
        Method, typer.Option(help="Method; auto takes the one that the model's evaluation found better.")
    ] = Method.AUTO,
    model: Annotated[Path | None, typer.Option(help="Model bundle (.heimdall) for auto and learned.")] = None,
    truth: Annotated[
        str | None,
        typer.Option(help="LATITUDE,LONGITUDE of the transmitter, or the name of a known one, to compare with."),
    ] = None,
    bandwidth: Annotated[
        float | None, typer.Option(min=1e-3, help="Width of the channel in Hz, instead of the one stated or found.")
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(help="Receivers' delays and level biases, as `heimdall receivers calibrate` writes them."),
    ] = None,
    reference: ReferenceOption = None,
    reference_session: ReferenceSessionOption = None,
    transmitters: TransmittersOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Also write the fixes to this file: .geojson, .kml, .cot, .html, .png or .json.")
    ] = None,
    jobs: JobsOption = None,
    on: OnOption = None,
    json: JsonOption = False,
) -> None:
    """Locate the transmitter of every observation, with 68 % and 95 % regions."""
    if method is Method.LEARNED and model is None:
        raise InputError("--method learned needs --model NAME.heimdall; `heimdall train` makes one")
    if output is not None:
        from heimdall.formats.writers.write import check_output

        check_output(output)
    from heimdall.cli.locating.receivers_calibrate import read

    way = _Way(method, model, "" if output is None else output.suffix.lower(), read(corrections))
    source = None if reference_session is None else one_session(reference_session)
    named = reference if source is None else reference or AUTO
    known = _Known(None if truth is None else _truth(truth, transmitters), bandwidth, named, source, transmitters)
    with _Told(json, output, _transmitters(transmitters)) as told:
        for chunk, results in _located(paths, known, way, jobs, on, quiet=json):
            told.add(chunk, results)
        told.conclude()


def _truth(text: str, transmitters: Path | None) -> Place:
    """A place, or that of a known transmitter by its name."""
    if "," not in text:
        from heimdall.transmitter import named

        try:
            return named(_transmitters(transmitters), text).place
        except InputError:
            if (written := written_place(text)) is None:
                raise
            return written
    return place_of(text, "--truth")


def _transmitters(path: Path | None) -> tuple[KnownTransmitter, ...]:
    from heimdall.formats.transmitters import known

    return known(path)


@dataclass(frozen=True)
class _Known:
    """What the call says of every observation; None where it says nothing."""

    truth: Place | None
    bandwidth_hz: float | None
    reference: str | None = None
    """Whose signal sets the clocks."""
    source: Observation | None = None
    """Where it was recorded, if elsewhere."""
    transmitters: Path | None = None

    def of(self, observation: Observation) -> Observation:
        if self.truth is not None:
            observation = replace(observation, truth=self.truth)
        if self.bandwidth_hz is not None:
            before_hz = float(f"{observation.bandwidth_hz:.3g}")
            note = f"the channel was set to {frequency_text(self.bandwidth_hz)}, instead of {frequency_text(before_hz)}"
            notes = (*observation.notes, note)
            observation = within_recordings(replace(observation, bandwidth_hz=self.bandwidth_hz, notes=notes))
        if self.reference is None:
            return observation
        return by_reference(observation, self.reference, self.transmitters, source=self.source).observation


@dataclass(frozen=True)
class _Way:
    """How a chunk is located, as it travels to another process."""

    method: Method
    model: Path | None
    suffix: str
    """Suffix of the file to be written, which decides for how many fixes the evidence is wanted as maps."""
    corrections: Mapping[str, Correction]
    """Corrections by the receiver's name."""
    threads: int | None = None
    """Threads of the network; None for all cores."""


def _located(
    paths: Sequence[Path], told: _Known, way: _Way, jobs: int | None, on: str | None, *, quiet: bool
) -> Iterator[tuple[list[Observation], list[_Result]]]:
    """Chunks of observations with their results, a few in memory at a time."""
    from heimdall.execution.processes import cores, in_order
    from heimdall.formats.readers.read import count_observations, iterate_observations

    counts = [count_observations(path) for path in paths]
    total = None if None in counts else sum(count for count in counts if count is not None)
    if total:
        check_picture(total, way.suffix)
    several = jobs or (cores() if on is None and (total or 0) >= _MANY else 1)
    way = replace(way, threads=1 if several > 1 or on is not None else None)
    read = (observation for path in paths for observation in iterate_observations(path))
    known = (told.of(observation) for observation in read)
    taken: deque[list[Observation]] = deque()

    def chunks() -> Iterator[_Chunk]:
        before = 0
        while chunk := list(islice(known, _CHUNK)):
            taken.append(chunk)
            yield before, chunk
            before += len(chunk)

    done = 0
    with progress("locating", total, hide=quiet or (total or 0) < _ROWS_SHOWN) as report:
        for results in in_order(partial(_locate, way), chunks(), several, on):
            done += len(results)
            report(done)
            yield taken.popleft(), results


def _locate(way: _Way, chunk: _Chunk) -> list[_Result]:
    """The fixes of a chunk, in this process or another, each with its maps if they are wanted."""
    from heimdall.cli.locating.receivers_calibrate import applied
    from heimdall.locating.method import locate_each

    before, observations = chunk[0], [applied(observation, way.corrections) for observation in chunk[1]]
    learned = None if way.model is None else _learned(way.model, way.threads)
    located = locate_each(observations, way.method, learned)
    return [
        (result.fix, _maps(result) if is_drawn(number, way.suffix) else [])
        for number, result in enumerate(located, start=before)
    ]


def _maps(result: Located) -> list[EvidenceMap]:
    from heimdall.locating.evidence_map import evidence_maps

    return evidence_maps(result)


@cache
def _learned(model: Path, threads: int | None) -> Learned:
    from heimdall.locating.by_network import Learned

    return Learned.load(model, threads)


class _Kept:
    """Fixes with what they were made from, on the disk until they are written: there may be more than fit in memory."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 # lives as long as this
        self._end = 0

    def add(self, fix: Fix, observation: Observation, maps: list[EvidenceMap]) -> None:
        pickle.dump((fix, observation, maps), self._file)
        self._end = self._file.tell()

    def __iter__(self) -> Iterator[Made]:
        self._file.seek(0)
        while self._file.tell() < self._end:
            yield pickle.load(self._file)

    def close(self) -> None:
        self._file.close()


class _Told:
    """What becomes of the fixes. Those to be written or printed as JSON wait on the disk: a document is whole or not at all."""

    def __init__(self, as_json: bool, output: Path | None, transmitters: Sequence[KnownTransmitter]) -> None:
        self._as_json, self._output, self._transmitters = as_json, output, transmitters
        self._count = 0
        self._first: list[Fix] = []
        self._notes = Notes()
        self._kept = None if output is None and not as_json else _Kept()
        self._useless: str | None = None
        self._useful = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._kept is not None:
            self._kept.close()

    def add(self, observations: Sequence[Observation], results: Sequence[_Result]) -> None:
        from heimdall.transmitter import with_near

        for observation, result in zip(observations, results, strict=True):
            fix = with_near(result[0], observation, self._transmitters)
            if fix.status is Status.INSUFFICIENT:
                self._useless = self._useless or f"{fix.id}: {fix.advice}"
            else:
                self._useful = True
            self._notes.add(observation)
            if len(self._first) < _ROWS_SHOWN:
                self._first.append(fix)
            if self._kept is not None:
                self._kept.add(fix, observation, result[1])
            self._count += 1

    def conclude(self) -> None:
        if self._useless is not None and not self._useful:
            self._notes.say()
            raise InputError(self._useless)
        if self._output is not None and self._kept is not None:
            from heimdall.formats.writers.write import write_each

            write_each(self._kept, self._output)
            console.print(f"wrote {self._output}")
        if self._as_json and self._kept is not None:
            sys.stdout.writelines(json_pieces(self._kept))
            self._notes.say()
        else:
            show(self._first, self._count, self._notes)
