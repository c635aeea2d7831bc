"""Browsers that signed in: each holds a word of its own, good for the pages only, that ends with its token or its time."""

from __future__ import annotations

import secrets

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from heimdall.service.auth import hash_of
from heimdall.service.database.tables import SignIn, now_unix_s

KEEP_S = 30 * 24 * 3600


def begin(session: Session, token: str) -> str:
    """The new word in clear: the browser's cookie keeps it, we do not. Those whose time is over are forgotten."""
    session.execute(delete(SignIn).where(SignIn.expires_unix_s <= now_unix_s()))
    word = secrets.token_urlsafe(32)
    session.add(SignIn(sha256=hash_of(word), token_sha256=hash_of(token), expires_unix_s=now_unix_s() + KEEP_S))
    return word


def token_of(session: Session, word: str) -> str | None:
    """Hash of the token that this browser signed in with; None if it did not, or too long ago."""
    return session.scalar(
        select(SignIn.token_sha256).where(SignIn.sha256 == hash_of(word), SignIn.expires_unix_s > now_unix_s())
    )


def end(session: Session, word: str) -> None:
    session.execute(delete(SignIn).where(SignIn.sha256 == hash_of(word)))
