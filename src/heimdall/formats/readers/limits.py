"""How much a reader takes in before it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heimdall.errors import InputError
from heimdall.formats.text import name_key


@dataclass(frozen=True)
class Limits:
    """The largest input that is read; the service sets smaller ones for uploads."""

    total_bytes: int = 4 << 30
    """Most bytes of one file, and of everything unpacked from one archive."""
    members: int = 1_000_000
    rows: int = 1_000_000
    samples: int = 1 << 28
    """Most samples of one recording."""


Files = Mapping[str, bytes]
"""Contents by name with forward slashes: a folder or an archive, never a path to write to."""


def names_ending(files: Files, suffix: str) -> Iterator[str]:
    """Names in alphabetical order, whatever their case."""
    return (name for name in sorted(files) if name.lower().endswith(suffix))


def stored_as(files: Files, name: str) -> str | None:
    """The name as it is stored, whatever its case and however its accents are; None where there is no such file."""
    if name in files:
        return name
    key = name_key(name)
    return next((each for each in sorted(files) if name_key(each) == key), None)


def content_or_flaw(files: Files, name: str) -> tuple[bytes, str | None]:
    """A file's content, or nothing and why it cannot be read: that costs its receiver, not the session."""
    try:
        return files[name], None
    except InputError as error:
        return b"", str(error)
