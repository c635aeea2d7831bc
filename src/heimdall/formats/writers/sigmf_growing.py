"""A SigMF session that grows while receivers are recorded: whatever ends the program, what was received can be read.

Samples are appended as they come, before any metadata speak of them; metadata are replaced in one step.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import sigmf

from heimdall.errors import InputError
from heimdall.files.atomic import replacing
from heimdall.formats.readers.kiwisdr.stamps import MIN_STAMPS, BrokenRecordingError, StampLine, Stamps, line_through
from heimdall.formats.readers.sigmf.accounts import RECEIVERS_KEY
from heimdall.formats.readers.sigmf.stated import BANDWIDTH_KEY, FREQUENCY_KEY, TRUTH_KEY
from heimdall.formats.readers.source import COLLECTION_SUFFIX, DATA_SUFFIX, META_SUFFIX
from heimdall.formats.writers.sigmf_write import (
    EXTENSION,
    about_recording,
    channel_edges,
    file_name,
    point_json,
    utc_text,
)
from heimdall.observation import Place, Receiver

_PS_PER_NS = 1000
_PS = 10**12
_OLD_GPS_S = 10
"""A GPS solution older than this is told."""


@dataclass
class _Run:
    """Samples without a gap, and the stamps of its blocks, from its first sample on."""

    first: int
    host_utc_ns: int
    """Time of the first sample, by this computer's clock."""
    frequency_hz: float
    count: int = 0
    age_s: list[int] = field(default_factory=list)
    stamp_ns: list[int] = field(default_factory=list)
    stamped_sample: list[int] = field(default_factory=list)


class GrowingRecording:
    """One receiver's recording. OSError means that the disk does not take it; what it took before stays readable."""

    def __init__(
        self, folder: Path, name: str, session: str, receiver: Receiver, datatype: str, bandwidth_hz: float
    ) -> None:
        self.name: Final = name
        self.digest: str | None = None
        """SHA-512 of the metadata as they were saved last."""
        self._folder, self._session, self._receiver, self._datatype = folder, session, receiver, datatype
        self._bandwidth_hz = bandwidth_hz
        self._runs: list[_Run] = []
        self._nominal_rate_hz = 0.0
        self._flaw: str | None = None
        self._file = os.open(folder / f"{name}{DATA_SUFFIX}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)

    @property
    def count(self) -> int:
        """Complex samples so far."""
        return sum(run.count for run in self._runs)

    @property
    def seconds(self) -> float:
        return self.count / self._nominal_rate_hz if self._runs else 0.0

    def append(
        self,
        data: bytes,
        count: int,
        *,
        sample_rate_hz: float,
        frequency_hz: float,
        host_utc_ns: int,
        gps_utc_ns: int | None = None,
        gps_age_s: int | None = None,
        lost: bool = False,
    ) -> None:
        """`host_utc_ns` is when the block had arrived, so when its last sample was taken at the latest."""
        self._nominal_rate_hz = sample_rate_hz
        if not self._runs or lost:
            began_ns = host_utc_ns - round(count / sample_rate_hz * 1e9)
            self._runs.append(_Run(self.count, began_ns, frequency_hz))
        run = self._runs[-1]
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        if gps_utc_ns is not None:
            run.age_s.append(gps_age_s or 0)
            run.stamp_ns.append(gps_utc_ns)
            run.stamped_sample.append(run.count)
        run.count += count

    def save(self) -> None:
        """Bring the metadata up to date."""
        if self._runs:
            content = _replace(self._folder / f"{self.name}{META_SUFFIX}", self._metadata())
            self.digest = hashlib.sha512(content).hexdigest()

    def notes(self) -> list[str]:
        """What the operator should know of it, one sentence each."""
        lost = len(self._runs) - 1
        oldest_s = max((max(run.age_s, default=0) for run in self._runs), default=0)
        return [
            *([f"samples were lost {lost} time{'s' * (lost != 1)}; the longest part is used"] if lost > 0 else []),
            *(
                [f"GPS was lost while it recorded: its last solution is {oldest_s} s old"]
                if oldest_s > _OLD_GPS_S
                else []
            ),
            *([f"its time is not used: {self._flaw}"] if self._flaw else []),
        ]

    def close(self) -> None:
        os.close(self._file)

    def _metadata(self) -> dict[str, Any]:
        lines = [self._line(run) for run in self._runs]
        longest = max(range(len(lines)), key=lambda index: self._runs[index].count)
        line = lines[longest]
        rate_hz = line.sample_rate_hz if line is not None else self._nominal_rate_hz
        receiver = replace(self._receiver, clock_sigma_s=line.clock_sigma_s if line is not None else None)
        frequency_hz = self._runs[longest].frequency_hz
        annotation = {sigmf.SAMPLE_START_KEY: 0, sigmf.SAMPLE_COUNT_KEY: self.count}
        return {
            "global": {
                sigmf.VERSION_KEY: sigmf.__specification__,
                **about_recording(receiver, self._datatype, rate_hz, self._session),
            },
            "captures": [_capture(run, line) for run, line in zip(self._runs, lines, strict=True)],
            "annotations": [{**annotation, **channel_edges(frequency_hz, self._bandwidth_hz)}],
        }

    def _line(self, run: _Run) -> StampLine | None:
        """The line through a run's stamps, which count from its first stamp; None where it has no time to rely on."""
        if run.stamp_ns and self._receiver.clock_sigma_s is not None:
            # Who made the stamps has drawn the line already.
            return StampLine(0.0, 1 / self._nominal_rate_hz, 0, self._receiver.clock_sigma_s)
        if len(run.stamp_ns) < MIN_STAMPS:
            return None
        stamps = Stamps(
            age_s=np.array(run.age_s, dtype=np.int64),
            stamp_s=(np.array(run.stamp_ns, dtype=np.int64) - run.stamp_ns[0]).astype(np.float64) * 1e-9,
            first_sample=np.array(run.stamped_sample, dtype=np.int64),
        )
        try:
            return line_through(stamps, self._nominal_rate_hz)
        except BrokenRecordingError as error:
            self._flaw = str(error)
            return None


def _capture(run: _Run, line: StampLine | None) -> dict[str, Any]:
    if line is None:
        utc_ps = run.host_utc_ns * _PS_PER_NS
    else:
        utc_ps = run.stamp_ns[0] * _PS_PER_NS + round(line.start_s * _PS)
    return {
        sigmf.SAMPLE_START_KEY: run.first,
        sigmf.FREQUENCY_KEY: run.frequency_hz,
        sigmf.DATETIME_KEY: utc_text(utc_ps),
    }


class GrowingSession:
    """A folder with one recording a receiver, and the collection that names them."""

    def __init__(
        self, folder: Path, name: str, frequency_hz: float, bandwidth_hz: float, truth: Place | None = None
    ) -> None:
        """Raises InputError where a session is already there."""
        self.name = file_name(name)
        self.collection = folder / f"{self.name}{COLLECTION_SUFFIX}"
        if self.collection.exists():
            raise InputError(f"{self.collection} is already there; choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._truth = folder, truth
        self._frequency_hz, self._bandwidth_hz = frequency_hz, bandwidth_hz
        self._recordings: list[GrowingRecording] = []
        self._made = 0

    def recording(self, receiver: Receiver, datatype: str) -> GrowingRecording:
        """A new recording, which the collection names from its first samples on."""
        name = f"{self.name}-{self._made:02d}-{file_name(receiver.name)}"
        self._made += 1
        made = GrowingRecording(self._folder, name, self.name, receiver, datatype, self._bandwidth_hz)
        self._recordings.append(made)
        return made

    def withdraw(self, recording: GrowingRecording) -> None:
        """Name it no more: its samples stay in the folder, and nobody reads them as part of the session."""
        self._recordings.remove(recording)

    def save(self, accounts: Iterable[Mapping[str, Any]]) -> None:
        """Bring the collection up to date; `accounts` say of each receiver what it gave, see docs/reference/formats.md."""
        streams = [{"name": each.name, "hash": each.digest} for each in self._recordings if each.digest is not None]
        about: dict[str, Any] = {
            sigmf.VERSION_KEY: sigmf.__specification__,
            "core:streams": streams,
            "core:extensions": [EXTENSION],
            FREQUENCY_KEY: self._frequency_hz,
            BANDWIDTH_KEY: self._bandwidth_hz,
            RECEIVERS_KEY: list(accounts),
        }
        if self._truth is not None:
            truth = self._truth
            about[TRUTH_KEY] = point_json(truth.latitude_deg, truth.longitude_deg, truth.height_m)
        _replace(self.collection, {"collection": about})


def _replace(path: Path, document: Mapping[str, Any]) -> bytes:
    """Write a small file in one step, and give what it holds: a reader sees the old one or the new one."""
    content = json.dumps(document, indent=2, allow_nan=False).encode()
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return content
