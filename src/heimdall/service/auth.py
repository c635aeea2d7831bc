"""Who may do what. A token is a long random word with a role; the database keeps only its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Token, now_unix_s
from heimdall.service.settings import Settings

_PREFIX = "heimdall_"
_DAY_S = 86_400.0


class Role(StrEnum):
    """Each may do what the one before may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Principal:
    """Who asks."""

    name: str
    role: Role
    id: str = field(default="", compare=False)
    """Id of the token, since two may have the same name."""


def create_token(session: Session, name: str, role: Role, days: float | None = None) -> str:
    """The new token in clear: shown once, kept nowhere. It is good for so many days, or until it is revoked."""
    if not name.strip():
        raise InputError("a token needs a name, such as the person or program that will use it")
    word = _PREFIX + secrets.token_urlsafe(32)
    token = Token(id=secrets.token_hex(8), name=name.strip(), role=role, sha256=hash_of(word))
    if days is not None:
        token.revoked_unix_s = session.scalars(select(now_unix_s())).one() + days * _DAY_S
    session.add(token)
    return word


def list_tokens(session: Session) -> Sequence[Token]:
    return session.scalars(select(Token).order_by(Token.created_unix_s, Token.id)).all()


def revoke_token(session: Session, token_id: str) -> None:
    token = session.scalar(select(Token).where(Token.id == token_id))
    if token is None:
        raise InputError(f"no token {token_id}: `heimdall token list` shows them")
    session.execute(update(Token).where(Token.id == token_id, _is_good()).values(revoked_unix_s=now_unix_s()))


def identify(session: Session, word: str, settings: Settings) -> Principal | None:
    """Whose token this is, or None."""
    return identify_hash(session, hash_of(word), settings)


def identify_hash(session: Session, sha256: str, settings: Settings) -> Principal | None:
    if settings.admin_token and hmac.compare_digest(sha256, hash_of(settings.admin_token.get_secret_value())):
        return Principal("configured admin", Role.ADMIN)
    token = session.scalar(select(Token).where(Token.sha256 == sha256, _is_good()))
    return Principal(token.name, Role(token.role), token.id) if token is not None else None


def _is_good() -> ColumnElement[bool]:
    return or_(Token.revoked_unix_s.is_(None), Token.revoked_unix_s > now_unix_s())


def first_token(store: Store, settings: Settings) -> str | None:
    """An admin token for a fresh installation that only this machine can reach; None when there is a way in already."""
    if settings.admin_token is not None or not is_loopback(settings.host):
        return None
    with store.writing() as session:
        return None if list_tokens(session) else create_token(session, "first admin", Role.ADMIN)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def hash_of(word: str) -> str:
    """Hash of a token, or of a browser's key."""
    # A plain hash will do: the word has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(word.encode()).hexdigest()
