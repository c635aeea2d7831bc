"""What the programs of another machine had said, read from files of its tree; nothing of the tree is ever run.

A support bundle keeps captured answers at its top (docker-info.json, nvidia-smi.txt and so on). A stand-in for nvidia-smi
that is a script is read as text: what it would print counts as its answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from heimdall.doctor.host import Host
from heimdall.doctor.program import ProgramOutput, Run, run_nothing

# The beginning of a command line, and the file that holds what it printed; the first that fits counts.
CAPTURES = (
    ("docker logs", "docker-logs.txt"),
    ("nvidia-smi -q", "nvidia-smi-q.txt"),
    ("nvidia-smi", "nvidia-smi.txt"),
    ("journalctl -k", "dmesg.txt"),
    ("dmesg", "dmesg.txt"),
)
PRINTED = re.compile(r"""\b(?:echo|printf)\s+(?:-\w+\s+)*(?:"((?:[^"\\]|\\.)*)"|'([^']*)')""")
HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?[^\n]*\n(.*?)\n\s*\1\b", re.DOTALL)
SCRIPT_BYTES_MAX = 100_000


def replay(root: Path) -> Run:
    """A runner that answers from the tree's files."""
    host = Host(root, run_nothing, {}, live=False)

    def run(command: Sequence[str], timeout_s: float) -> ProgramOutput:
        line = " ".join(command)
        for beginning, name in CAPTURES:
            text = host.read(f"/{name}") if line.startswith(beginning) else None
            if text is not None:
                return ProgramOutput(0, text)
        for beginning, fits in DOCUMENTS:
            if line.startswith(beginning):
                return _document(host, fits) or run_nothing(command, timeout_s)
        said = _script_says(host, command[0]) if command[0] == "nvidia-smi" else None
        return said or run_nothing(command, timeout_s)

    return run


def _is_info(document: Any) -> bool:
    return isinstance(document, dict) and bool({"ServerVersion", "ServerErrors", "host"} & set(document))


def _is_container(document: Any) -> bool:
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and "State" in first


# What `docker info` and `docker inspect` print is known by its content, whatever the file at the top is called.
DOCUMENTS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("docker info", _is_info),
    ("docker inspect", _is_container),
)


def _document(host: Host, fits: Callable[[Any], bool]) -> ProgramOutput | None:
    texts = [host.read(f"/{name}") or "" for name in host.names("/") if name.endswith(".json")]
    for text in (*texts, *_printed(host, "docker")):
        try:
            if fits(json.loads(text)):
                return ProgramOutput(0, text)
        except (ValueError, RecursionError):
            continue
    return None


def _script(host: Host, name: str) -> str:
    """The text of a stand-in that is a script; a real program is not read."""
    path = host.find_program(name)
    raw = (host.read_bytes(path) or b"") if path else b""
    return raw.decode("utf-8", "replace") if raw.startswith(b"#!") and len(raw) <= SCRIPT_BYTES_MAX else ""


def _printed(host: Host, name: str) -> list[str]:
    """What the script would print: its words, its here-documents, and the files at the top that it names."""
    text = _script(host, name)
    said = [double or single for double, single in PRINTED.findall(text)]
    said += [body for _, body in HERE_DOCUMENT.findall(text)]
    named = set(re.findall(r"[\w.-]+\.\w+", text)) & set(host.names("/"))
    return said + [host.read(f"/{file}") or "" for file in sorted(named)]


def _script_says(host: Host, name: str) -> ProgramOutput | None:
    lines = _printed(host, name)
    codes = re.findall(r"\bexit (\d+)", _script(host, name))
    return ProgramOutput(int(codes[-1]) if codes else 0, "\n".join(lines) + "\n") if lines else None
