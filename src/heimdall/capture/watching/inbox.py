"""A folder that another recorder fills: what is new in it is located once it does not change any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heimdall.capture.watching.watch import Locate
from heimdall.capture.watching.watch_history import HISTORY, append_line, history
from heimdall.files.atomic import scratch

_PLACES_SUFFIX = ".txt"
"""Positions of receivers; they belong to every recording of their folder."""
_POLL_S = 2.0
_MOST_FILES = 100_000

_Files = dict[str, tuple[int, int]]
"""Size and time of change by name relative to the folder."""


@dataclass(frozen=True)
class Inbox:
    """`run` yields a line of history for each set of files that came together, for each folder by itself."""

    folder: Path
    output: Path
    locate: Locate
    settle_s: float = 10.0
    """Files that have not changed for so long are complete."""
    most: int | None = None

    async def run(self) -> AsyncIterator[dict[str, Any]]:
        """Until stopped; files that an earlier run has located are not located again."""
        self.output.mkdir(parents=True, exist_ok=True)
        done = {name for line in history(self.output) for name in line.get("files", [])}
        before, quiet_s, found = self._files(), 0.0, 0
        while self.most is None or found < self.most:
            await asyncio.sleep(min(_POLL_S, self.settle_s))
            now = self._files()
            quiet_s = quiet_s + min(_POLL_S, self.settle_s) if now == before else 0.0
            before = now
            if quiet_s < self.settle_s:
                continue
            for folder, names in _by_folder(now, done):
                done.update(names)
                found += 1
                yield await self._located(folder, names)

    def _files(self) -> _Files:
        found: _Files = {}
        for path in sorted(self.folder.rglob("*"))[:_MOST_FILES]:
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(self.folder).parts):
                about = path.stat()
                found[path.relative_to(self.folder).as_posix()] = (about.st_size, about.st_mtime_ns)
        return found

    async def _located(self, folder: str, names: list[str]) -> dict[str, Any]:
        """The new files alone, with the positions beside them, are shown to the locator in a folder of links."""
        inside = self.folder / folder
        with scratch() as shown:
            for path in [self.folder / name for name in names] + sorted(inside.glob(f"*{_PLACES_SUFFIX}")):
                link = shown / path.name
                if not link.is_symlink():
                    link.symlink_to(path.resolve())
            located = await self.locate(shown)
        line = {
            "session": folder or ".",
            "files": names,
            "seen_utc": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            **located,
        }
        append_line(self.output / HISTORY, line)
        return line


def _by_folder(files: _Files, done: set[str]) -> Iterator[tuple[str, list[str]]]:
    """The names that are new, for each folder; positions alone are nothing to locate."""
    new: dict[str, list[str]] = {}
    for name in files:
        if name not in done and not name.endswith(_PLACES_SUFFIX):
            new.setdefault(name.rpartition("/")[0], []).append(name)
    yield from new.items()
