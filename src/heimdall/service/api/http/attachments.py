"""Answers that are files: their names in any script, their content piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse

ZIP = "application/zip"
_ATTR_CHARS = "!#$&+-.^_`|~"
"""What need not be escaped in an extended value (RFC 8187), beside letters and digits."""


def content_disposition(name: str, kind: str = "attachment") -> str:
    """A header that names a file in any script (RFC 6266), with a plain name for those who cannot read it."""
    plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\%/' else "_" for letter in name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"


def attachment(
    content: Iterable[bytes] | bytes, name: str, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Pieces are sent as they come, from a thread."""
    all_headers = {"Content-Disposition": content_disposition(name), **(headers or {})}
    if isinstance(content, bytes):
        return Response(content, headers=all_headers, media_type=media_type)
    return StreamingResponse(content, headers=all_headers, media_type=media_type)


def documented_file(media_type: str) -> dict[str, Any]:
    """The response that is a file, for the description of the API."""
    return {"description": "The file.", "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}
