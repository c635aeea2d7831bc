"""A watch's history: a line for each recording that was located."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from heimdall.formats.readers.source import COLLECTION_SUFFIX

HISTORY = "fixes.jsonl"


def unlocated(folder: Path) -> list[Path]:
    """Recordings below a watch's folder without a line in its history, in the order of their times."""
    done = {line.get("session") for line in history(folder)}
    sessions = sorted(path.parent for path in folder.glob(f"*/*{COLLECTION_SUFFIX}"))
    return [session for session in sessions if session.name not in done]


def history(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of a watch's history; one that a kill has cut is passed over, and its session located again."""
    with suppress(FileNotFoundError), (folder / HISTORY).open(encoding="utf-8", errors="replace") as lines:
        for text in lines:
            with suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict):
                    yield line


def append_line(path: Path, line: dict[str, Any]) -> None:
    """One line at the end, on its own even after one that was cut."""
    text = json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            text = text if file.read(1) == b"\n" else "\n" + text
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
