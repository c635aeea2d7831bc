"""A page that is there without NiceGUI and without signing in: one panel in the middle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi.responses import HTMLResponse

STATIC = Path(__file__).parent / "static"
_PAGE = (STATIC / "notice.html").read_text(encoding="utf-8")


def notice(title: str, content: str, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """`content` is HTML."""
    return HTMLResponse(_PAGE.replace("{title}", title).replace("{content}", content), status, headers)
