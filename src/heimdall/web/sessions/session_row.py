"""A stored session as the page's lists show it."""

from __future__ import annotations

from dataclasses import dataclass

from heimdall.service.database.tables import StoredSession
from heimdall.service.storage.session_summary import Summary
from heimdall.web import words


@dataclass(frozen=True)
class SessionRow:
    """What the list shows of a session; drawn again only where it changed."""

    id: str
    name: str
    about: str
    stored: str
    """Its size, since when and by whom."""
    size_bytes: int
    pinned: bool
    summary: Summary


def row_of(stored: StoredSession) -> SessionRow:
    summary = Summary.model_validate(stored.summary)
    since = f"{words.bytes_text(stored.size_bytes)} · {words.time_text(stored.created_unix_s)} by {stored.created_by}"
    about = words.about_session(summary)
    return SessionRow(stored.id, stored.name, about, since, stored.size_bytes, stored.pinned, summary)
