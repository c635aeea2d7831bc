"""The run folder: what a training program writes and the service reads. The contract is in docs/reference/run-folder.md.

The program may die at any moment, so every reader takes a missing or half-written file for "nothing yet".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from heimdall.runs import CAPTURE

CHECKPOINT = Path("checkpoints/last.ckpt")
LOG_PAGE_BYTES = 64 * 1024


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A diverged loss is not a number; JSON and the page say null."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


Document = TypeVar("Document", bound=_Document)


class AcceleratorUse(_Document):
    requested: str | None = None
    used: str | None = None
    reason: str | None = None
    device: str | None = None
    precision: str | None = None


class Progress(_Document):
    step: int = 0
    steps_total: int | None = None
    fraction: Number = None
    eta_s: Number = None
    loss: Number = None
    phase: str | None = None
    accelerator: AcceleratorUse = Field(default_factory=AcceleratorUse)


class Result(_Document):
    model: str | None = None
    scores: Annotated[dict[str, Any], BeforeValidator(_finite)] = Field(default_factory=dict)
    report: str | None = None


class Warned(_Document):
    code: str
    message: str


@dataclass(frozen=True)
class LogPage:
    offset: int
    next_offset: int
    text: str


@dataclass(frozen=True)
class RunReader:
    path: Path

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        return self.path / ".lock"

    @property
    def begun(self) -> bool:
        """A program was started here before."""
        return self.log.exists()

    def log_unix_s(self) -> float:
        """When it was last written to; 0 without one."""
        return self.log.stat().st_mtime if self.log.exists() else 0.0

    def log_size(self) -> int:
        """Bytes."""
        return self.log.stat().st_size if self.log.exists() else 0

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    def progress(self, since_unix_s: float = 0.0) -> Progress | None:
        """What the program last said, if it said it after `since_unix_s`: an earlier attempt may have run elsewhere."""
        path = self.path / "progress.json"
        try:
            fresh = path.stat().st_mtime >= since_unix_s
        except OSError:
            return None
        return _read(path, Progress) if fresh else None

    def capture(self) -> dict[str, Any] | None:
        """What a recording said last of its receivers."""
        try:
            document = json.loads((self.path / CAPTURE).read_bytes())
        except (OSError, ValueError):
            return None
        return _finite(document) if isinstance(document, dict) else None

    def result(self) -> Result | None:
        return _read(self.path / "result.json", Result)

    def warnings(self) -> list[Warned]:
        try:
            return [Warned.model_validate(item) for item in json.loads((self.path / "warnings.json").read_bytes())]
        except (OSError, ValueError, TypeError):
            return []

    def checkpoint_unix_s(self) -> float | None:
        """When the last good checkpoint was written, or None without one."""
        try:
            return (self.path / CHECKPOINT).stat().st_mtime
        except OSError:
            return None

    def member(self, relative: str) -> Path:
        """A file the program named; never one outside the run folder."""
        path = (self.path / relative).resolve()
        if not path.is_relative_to(self.path.resolve()):
            raise ValueError(f"{relative} is not inside the run folder")
        return path

    def metrics(self, after_step: int = -1) -> list[dict[str, Any]]:
        """One row a step, oldest first. A resumed run says some steps again: the later word counts."""
        rows: dict[int, dict[str, Any]] = {}
        for row in self._metric_lines():
            if row["step"] > after_step:
                rows.setdefault(row["step"], {}).update(_finite(row))
        return [rows[step] for step in sorted(rows)]

    def log_page(self, offset: int = 0, limit: int = LOG_PAGE_BYTES) -> LogPage:
        """A piece of the log from byte `offset`; negative: so many bytes from the end."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, 2)
                start = max(0, size + offset) if offset < 0 else min(offset, size)
                file.seek(start)
                data = file.read(limit)
        except OSError:
            return LogPage(0, 0, "")
        return LogPage(start, start + len(data), data.decode("utf-8", "replace"))

    def last_words(self, since: int = 0) -> str:
        """The line that tells why the program ended: the command line's own error, or else the last one in the log."""
        page = self.log_page(max(since, self.log_size() - LOG_PAGE_BYTES))
        lines = [line.strip() for line in page.text.splitlines() if line.strip()]
        errors = [line.removeprefix("heimdall: ") for line in lines if line.startswith("heimdall: ")]
        return (errors or lines or ["it said nothing"])[-1][:2000]

    def _metric_lines(self) -> Iterator[dict[str, Any]]:
        try:
            with (self.path / "metrics.jsonl").open(encoding="utf-8", errors="replace") as file:
                yield from filter(None, map(_metric_row, file))
        except OSError:
            return


def _metric_row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and type(row.get("step")) is int else None


def _read(path: Path, kind: type[Document]) -> Document | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
