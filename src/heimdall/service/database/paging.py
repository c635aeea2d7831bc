"""A part of a long list, beginning after the last row of the part before: rows that come or go do not shift it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, and_, or_
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.service.database.tables import Job, Model, RegisteredReceiver, StoredSession

T = TypeVar("T")
Dated = TypeVar("Dated", Job, Model, StoredSession)


@dataclass(frozen=True)
class Page:
    """At most `limit` rows after `cursor`, which the page before gave; None: without end, from the start."""

    limit: int | None = None
    cursor: str | None = None


@dataclass(frozen=True)
class Part(Generic[T]):
    rows: Sequence[T]
    next: str | None = None
    """Cursor of what follows; None at the end."""


def newest_first(session: Session, query: Select[Any], kind: type[Dated], page: Page) -> Part[Dated]:
    """One page of the rows of a query, by when they were made. Raises InputError for a cursor that is none."""
    made, number = kind.created_unix_s, kind.id
    if page.cursor is not None:
        at_unix_s, last = _parse(page.cursor)
        query = query.where(or_(made < at_unix_s, and_(made == at_unix_s, number > last)))
    query = query.order_by(made.desc(), number)
    return _part(session, query, page, lambda row: f"{row.created_unix_s!r}_{row.id}")


def by_name(session: Session, query: Select[tuple[RegisteredReceiver]], page: Page) -> Part[RegisteredReceiver]:
    if page.cursor is not None:
        query = query.where(RegisteredReceiver.name > page.cursor)
    return _part(session, query.order_by(RegisteredReceiver.name), page, lambda row: row.name)


def _part(session: Session, query: Select[Any], page: Page, cursor_of: Callable[[Any], str]) -> Part[Any]:
    if page.limit is None:
        return Part(session.scalars(query).all())
    rows = session.scalars(query.limit(page.limit + 1)).all()
    shown = rows[: page.limit]
    return Part(shown, cursor_of(shown[-1]) if len(rows) > page.limit else None)


def _parse(cursor: str) -> tuple[float, str]:
    time, _, last = cursor.partition("_")
    try:
        at_unix_s = float(time)
    except ValueError:
        at_unix_s = math.nan
    if not (math.isfinite(at_unix_s) and last.isalnum()):
        raise InputError("cursor: take it from the `Link` of the page before")
    return at_unix_s, last
