"""Recordings as a job reads them: with the corrections that their receivers have by now."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from heimdall.errors import InputError
from heimdall.files.atomic import incoming
from heimdall.formats.readers.measurements import measurements_text
from heimdall.formats.readers.read import iterate_observations
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation
from heimdall.service.database.tables import RegisteredReceiver
from heimdall.service.receivers import registered


def prepared(
    source: Path, target: Path, known: Sequence[RegisteredReceiver], session_ids: Collection[str] = ()
) -> Path:
    """The source itself where no receiver in it is registered, else a copy of its observations below `target`, corrected.

    Receptions that must not be used are left out of the copy, and corrections that were fitted to the stored session itself.
    """
    names = {row.name for row in known}
    if not names or not any(_heard_by(observation) & names for observation in iterate_observations(source)):
        return source
    shutil.rmtree(target, ignore_errors=True)  # what an earlier start of the job has left
    with incoming(target.parent) as place:
        part = place / target.name
        part.mkdir()
        _write(source, part, known, session_ids)
        part.rename(target)
    return target


def _write(source: Path, part: Path, known: Sequence[RegisteredReceiver], session_ids: Collection[str]) -> None:
    tables: list[Observation] = []
    for number, observation in enumerate(iterate_observations(source)):
        corrected = _usable(registered.corrected([observation], known, session_ids=session_ids)[0])
        if len(corrected.receptions) < 2:
            continue
        if any(reception.samples is not None for reception in corrected.receptions):
            write_sigmf(corrected, part / f"{number:06d}")
        else:
            tables.append(corrected)
    if tables:
        (part / "measurements.jsonl").write_text(measurements_text(tables), encoding="utf-8")
    if not any(part.iterdir()):
        raise InputError(f"{source.name}: no observation in it has two receivers that can be used")


def _heard_by(observation: Observation) -> set[str]:
    return {reception.receiver.name for reception in observation.receptions}


def _usable(observation: Observation) -> Observation:
    return replace(observation, receptions=observation.usable)
