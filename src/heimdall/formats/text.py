"""Text files as editors and shells save them: UTF-8, with or without a byte order mark, or UTF-16 with one."""

from __future__ import annotations

import codecs
import io
import unicodedata
from collections.abc import Iterator

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def as_utf_8(content: bytes) -> bytes:
    """The same text in UTF-8 without a mark."""
    if content.startswith(UTF_16_MARKS):
        return content.decode("utf-16", "replace").encode()
    return content.removeprefix(codecs.BOM_UTF8)


def is_utf_8(content: bytes) -> bool:
    """Whether it is text in UTF-8; UTF-16 without a mark is not, as it is full of zeros."""
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def lines_as_utf_8(stream: io.BufferedReader) -> Iterator[bytes]:
    """The lines of a stream as `as_utf_8` has them, one in memory at a time."""
    if stream.peek(2).startswith(UTF_16_MARKS):
        yield from (text.encode() for text in io.TextIOWrapper(stream, "utf-16", "replace", newline=""))
        return
    for number, line in enumerate(stream):
        yield line.removeprefix(codecs.BOM_UTF8) if number == 0 else line


def composed(name: str) -> str:
    """A name with its accents as single letters: macOS stores an umlaut as two, other systems as they were typed."""
    return unicodedata.normalize("NFC", name)


def name_key(name: str) -> str:
    """By which names of files and receivers are compared: whatever their case, and however accents are stored."""
    return composed(name.lower())
