"""The folder of one training run, as the training writes it for the service and for a later resume."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heimdall.evidence.radio_map import RadioMap
from heimdall.files.atomic import replacing

_PROGRESS_EVERY_S = 2.0
_RADIO_MAP, _RADIO_MAP_HEADER = "radio_map.f32", "radio_map.json"


class RunWriter:
    """Files of a run; every JSON document is replaced as a whole, so that a reader never sees half of one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "checkpoints" / "last.ckpt"
        self.result = path / "result.json"
        self._progress: dict[str, Any] = {}
        self._written_s = 0.0

    def make(self) -> None:
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)

    def write_json(self, name: str, document: Any) -> None:
        with replacing(self.path / name) as temporary, temporary.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, allow_nan=False)

    def read_json(self, name: str) -> Any:
        """The document, or None where there is none."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def write_radio_map(self, radio_map: RadioMap) -> None:
        with replacing(self.path / _RADIO_MAP, durable=True) as temporary:
            temporary.write_bytes(radio_map.content())
        self.write_json(_RADIO_MAP_HEADER, radio_map.header())

    def read_radio_map(self) -> RadioMap | None:
        header = self.read_json(_RADIO_MAP_HEADER)
        return None if header is None else RadioMap.read(header, (self.path / _RADIO_MAP).read_bytes())

    def report_progress(self, *, now: bool = False, **changes: Any) -> None:
        """Merge into progress.json; written at most every two seconds unless `now`."""
        self._progress |= changes
        if now or time.monotonic() - self._written_s >= _PROGRESS_EVERY_S:
            self.write_json("progress.json", self._progress | {"updated_utc": utc_now()})
            self._written_s = time.monotonic()

    def append_metrics(self, step: int, metrics: dict[str, float]) -> None:
        self.append("metrics.jsonl", {"step": step, "time_utc": utc_now(), **metrics})

    def append_pool(self, number: int, scenes: int, sha256: str) -> None:
        """A pool of scenes that was trained on: the same for a recipe and seed, whoever simulated it."""
        self.append("pools.jsonl", {"pool": number, "scenes": scenes, "sha256": sha256})

    def append(self, name: str, document: dict[str, Any]) -> None:
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(document) + "\n")

    def warn(self, code: str, message: str) -> None:
        """Add to warnings.json, once per code and message."""
        warnings = self.read_json("warnings.json") or []
        entry = {"code": code, "message": message}
        if entry not in warnings:
            self.write_json("warnings.json", [*warnings, entry])


class SilentRunWriter(RunWriter):
    """The run folder for the other processes of a training: they read it, and the first one writes."""

    def write_json(self, name: str, document: Any) -> None: ...

    def append(self, name: str, document: dict[str, Any]) -> None: ...


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
