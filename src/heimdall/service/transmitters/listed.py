"""The installation's list of known transmitters: what its people added, and what comes with Heimdall."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.formats.transmitters import shipped, with_all
from heimdall.service.database.paging import Page, Part
from heimdall.service.database.tables import Transmitter
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.transmitter import KnownTransmitter, find_named

MOST = 5000
"""Transmitters that an installation may add."""
_FIELDS = tuple(KnownTransmitter.model_fields)


@dataclass(frozen=True)
class Listed:
    """A known transmitter as the list has it."""

    id: str
    transmitter: KnownTransmitter
    created_by: str | None = None
    """None: it comes with Heimdall."""
    created_unix_s: float | None = None

    @property
    def shipped(self) -> bool:
        return self.created_by is None

    @property
    def sorts_by(self) -> str:
        """Its name, which is unique in whatever case."""
        return self.transmitter.name.casefold()


def _of_heimdall(transmitter: KnownTransmitter) -> Listed:
    """With an id that is the same in every installation."""
    digest = hashlib.sha256(transmitter.name.casefold().encode()).hexdigest()
    return Listed(digest[:16], transmitter)


# Read once, for no file is opened within a transaction.
_SHIPPED = tuple(_of_heimdall(each) for each in shipped())


def known(session: Session) -> tuple[KnownTransmitter, ...]:
    """Those that were added, then the shipped ones that they do not replace."""
    return with_all([each.transmitter for each in _SHIPPED], [_known(row) for row in _rows(session)])


def named(session: Session, name: str) -> KnownTransmitter:
    """The known transmitter of that name, in whatever case. Raises InputError for a name that is not listed."""
    if (found := find_named(known(session), name)) is None:
        raise InputError(f"no known transmitter is called {name!r}: `GET /api/v1/transmitters` lists them")
    return found


def heard_between(session: Session, low_hz: float, high_hz: float) -> list[KnownTransmitter]:
    """Those whose channels reach into these frequencies."""
    return [
        each
        for each in known(session)
        if _between(each.frequency_hz, low_hz - each.channel_hz / 2, high_hz + each.channel_hz / 2)
    ]


def find(session: Session, low_hz: float | None = None, high_hz: float | None = None) -> list[Listed]:
    """The known transmitters between two frequencies, sorted by name."""
    own = [_listed(row) for row in _rows(session)]
    replaced = {each.sorts_by for each in own}
    others = [each for each in _SHIPPED if each.sorts_by not in replaced]
    found = [each for each in (*own, *others) if _between(each.transmitter.frequency_hz, low_hz, high_hz)]
    return sorted(found, key=lambda each: each.sorts_by)


def find_part(session: Session, page: Page, low_hz: float | None = None, high_hz: float | None = None) -> Part[Listed]:
    """A page of `find`."""
    found = [each for each in find(session, low_hz, high_hz) if page.cursor is None or each.sorts_by > page.cursor]
    shown = found[: page.limit]
    return Part(shown, shown[-1].sorts_by if len(shown) < len(found) else None)


def get(session: Session, transmitter_id: str) -> Listed:
    """One of the installation, or one that came with Heimdall. Raises UnknownError."""
    if (row := session.get(Transmitter, transmitter_id, populate_existing=True)) is not None:
        return _listed(row)
    for each in _SHIPPED:
        if each.id == transmitter_id:
            return each
    raise UnknownError(f"no transmitter {transmitter_id}: `GET /api/v1/transmitters` lists them")


def add(session: Session, transmitter: KnownTransmitter, who: str) -> Listed:
    """Raises ConflictError where one of that name was added already; one that comes with Heimdall is replaced."""
    _check_free(session, transmitter.name)
    _check_room(session, 1)
    row = Transmitter(id=secrets.token_hex(8), created_by=who, **_values(transmitter))
    session.add(row)
    session.flush()
    session.refresh(row)
    return _listed(row)


def change(session: Session, transmitter_id: str, transmitter: KnownTransmitter) -> Listed:
    """Raises UnknownError, or ConflictError where it came with Heimdall or another has the name."""
    row = _own(session, transmitter_id)
    if transmitter.name.casefold() != row.folded_name:
        _check_free(session, transmitter.name)
    for name, value in _values(transmitter).items():
        setattr(row, name, value)
    session.flush()
    return _listed(row)


def delete(session: Session, transmitter_id: str) -> None:
    """Whatever was named or compared with it stays as it is."""
    row = _own(session, transmitter_id)
    session.execute(delete_rows(Transmitter).where(Transmitter.id == row.id))


def add_all(session: Session, transmitters: Sequence[KnownTransmitter], who: str) -> int:
    """Add each, or replace the one of its name that was added before; how many. Names are unique.

    What is the same as comes with Heimdall is left out: it would no longer change with it.
    """
    ids = dict(session.execute(select(Transmitter.folded_name, Transmitter.id)).all())
    known_anyway = {each.transmitter for each in _SHIPPED if each.sorts_by not in ids}
    given = [_values(each) for each in transmitters if each not in known_anyway]
    new = [each | {"id": secrets.token_hex(8), "created_by": who} for each in given if each["folded_name"] not in ids]
    _check_room(session, len(new))
    replaced = [each | {"id": ids[each["folded_name"]]} for each in given if each["folded_name"] in ids]
    for change_all, rows in ((insert(Transmitter), new), (update(Transmitter), replaced)):
        if rows:
            session.execute(change_all, rows)
    return len(given)


def _rows(session: Session) -> Sequence[Transmitter]:
    return session.scalars(select(Transmitter).order_by(Transmitter.folded_name)).all()


def _own(session: Session, transmitter_id: str) -> Transmitter:
    found = get(session, transmitter_id)
    row = session.get(Transmitter, transmitter_id)
    if row is None:
        raise ConflictError(
            f"{found.transmitter.name} comes with Heimdall and stays: one added by that name replaces it"
        )
    return row


def _check_free(session: Session, name: str) -> None:
    if session.scalar(select(Transmitter.id).where(Transmitter.folded_name == name.casefold())) is not None:
        raise ConflictError(f"a transmitter called {name} is listed already: edit that one")


def _check_room(session: Session, count: int) -> None:
    if (session.scalar(select(func.count()).select_from(Transmitter)) or 0) + count > MOST:
        raise ConflictError(f"{MOST} transmitters may be added, no more: remove some")


def _between(frequency_hz: float, low_hz: float | None, high_hz: float | None) -> bool:
    return (low_hz is None or frequency_hz >= low_hz) and (high_hz is None or frequency_hz <= high_hz)


def _listed(row: Transmitter) -> Listed:
    return Listed(row.id, _known(row), row.created_by, row.created_unix_s)


def _known(row: Transmitter) -> KnownTransmitter:
    return KnownTransmitter.model_validate({name: getattr(row, name) for name in _FIELDS})


def _values(transmitter: KnownTransmitter) -> dict[str, Any]:
    """Values of the columns that describe a transmitter."""
    return transmitter.model_dump(mode="json") | {"folded_name": transmitter.name.casefold()}
