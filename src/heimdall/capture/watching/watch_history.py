"""Recordings of a watch: located in a process of their own, and a line of history for each of them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from heimdall.formats.readers.source import COLLECTION_SUFFIX

HISTORY = "fixes.jsonl"
_LOCATE_S = 600.0


async def locate_apart(folder: Path) -> dict[str, Any]:
    """Locate a session by a process of its own, whose memory is gone with it."""
    command = [sys.executable, "-m", "heimdall", "locate", str(folder), "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_LOCATE_S):
            printed, said = await process.communicate()
    except BaseException as error:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            return {"fixes": [], "reason": f"not located within {_LOCATE_S:g} s"}
        raise
    with suppress(ValueError):
        return {"fixes": json.loads(printed)["fixes"]}
    words = said.decode("utf-8", "replace").strip().splitlines() or ["not located"]
    return {"fixes": [], "reason": words[-1].removeprefix("heimdall: ")}


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
