"""The .env file of Compose: change own keys, leave every other line as it is, keep one copy of the person's own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?(?P<key>[A-Za-z_]\w*)\s*=(?P<value>.*)$")


def read_values(path: Path) -> dict[str, str]:
    """Plain KEY=value lines; the last one counts, as for Compose. Missing file: nothing."""
    found = (ASSIGNMENT.match(line) for line in _read(path).split("\n"))
    return {match["key"]: match["value"].strip().strip("'\"") for match in found if match}


def write_values(path: Path, values: Mapping[str, str], *, keep_copy: bool = True) -> Path | None:
    """Set these keys. Returns the copy of the file as its owner wrote it, None where there was none or nothing changed."""
    path = path.resolve()
    before = _read(path)
    after = _with_values(before, values)
    if after == before:
        return None
    if not path.exists():
        _write(path, after, mode=0o644)
        return None
    mode = path.stat().st_mode & 0o777
    backup = _keep_copy(path, before, values, mode) if keep_copy else None
    temporary = path.with_name(f"{path.name}.new")
    _write(temporary, after, mode)
    os.replace(temporary, path)
    return backup


def _with_values(text: str, values: Mapping[str, str]) -> str:
    lines, written = [], set()
    for line in text.removesuffix("\n").split("\n") if text else []:
        match = ASSIGNMENT.match(line)
        key = match["key"] if match else ""
        if key not in values:
            lines.append(line)
        elif key not in written:
            lines.append(f"{key}={values[key]}")
            written.add(key)
    lines += [f"{key}={value}" for key, value in values.items() if key not in written]
    return "".join(f"{line}\n" for line in lines)


def _read(path: Path) -> str:
    # Neither the end of a line nor a byte that is no UTF-8 may change in what is not ours.
    return path.read_bytes().decode(errors="surrogateescape") if path.is_file() else ""


def _write(path: Path, text: str, mode: int) -> None:
    path.touch(mode=mode)
    path.write_bytes(text.encode(errors="surrogateescape"))


def _keep_copy(path: Path, before: str, values: Mapping[str, str], mode: int) -> Path:
    """One copy: of the last file that differs in more than our own keys, so that no change of ours replaces a person's."""
    backup = path.with_name(f"{path.name}.backup")
    if not backup.exists() or _with_values(_read(backup), values) != _with_values(before, values):
        _write(backup, before, mode)
    return backup
