"""What the programs of another machine had said, read from files of its tree; nothing of the tree is ever run.

A support bundle keeps captured answers at its top (docker-info.json, nvidia-smi.txt and so on). A stand-in for nvidia-smi
that is a script is read as text: what it would print counts as its answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from heimdall.doctor.host import Host
from heimdall.doctor.program import Answer, Run, run_nothing

# The beginning of a command line, and the file that holds what it printed; the first that fits counts.
CAPTURES = (
    ("docker info", "docker-info.json"),
    ("docker inspect", "docker-inspect.json"),
    ("docker logs", "docker-logs.txt"),
    ("nvidia-smi -q", "nvidia-smi-q.txt"),
    ("nvidia-smi", "nvidia-smi.txt"),
    ("journalctl -k", "dmesg.txt"),
    ("dmesg", "dmesg.txt"),
)
PRINTED = re.compile(r"""\becho\s+(?:"((?:[^"\\]|\\.)*)"|'([^']*)')""")
SCRIPT_BYTES_MAX = 100_000


def replay(root: Path) -> Run:
    """A runner that answers from the tree's files."""
    host = Host(root, run_nothing, {}, live=False)

    def run(command: Sequence[str], timeout_s: float) -> Answer:
        line = " ".join(command)
        for beginning, name in CAPTURES:
            text = host.read(f"/{name}") if line.startswith(beginning) else None
            if text is not None:
                return Answer(0, text)
        said = _script_says(host, command[0]) if command[0] == "nvidia-smi" else None
        return said or run_nothing(command, timeout_s)

    return run


def _script_says(host: Host, name: str) -> Answer | None:
    path = host.find_program(name)
    raw = (host.read_bytes(path) or b"") if path else b""
    if not raw.startswith(b"#!") or len(raw) > SCRIPT_BYTES_MAX:
        return None
    text = raw.decode("utf-8", "replace")
    lines = [double or single for double, single in PRINTED.findall(text)]
    codes = re.findall(r"\bexit (\d+)", text)
    return Answer(int(codes[-1]) if codes else 0, "\n".join(lines) + "\n") if lines else None
