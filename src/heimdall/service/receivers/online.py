"""Receivers by address: what an operator added, and what each says of itself. Only these are ever connected to."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr
from sqlalchemy import delete as delete_rows
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from heimdall.capture.faults import Fault
from heimdall.capture.interface import Target
from heimdall.capture.listing import ListedReceiver, ReceiverList, free_name
from heimdall.capture.network.access import Access
from heimdall.capture.network.address import SOAPY, parse_address
from heimdall.capture.probing import Probed, probe_all
from heimdall.errors import InputError
from heimdall.observation import Place
from heimdall.service.database.store import Store
from heimdall.service.database.tables import OnlineReceiver, now_unix_s
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.service.receivers.online_schemas import OnlineChange, OnlineFields, state_of
from heimdall.service.settings import Settings

MOST = 500
"""Receivers that an installation may list."""


def access_of(settings: Settings) -> Access:
    """Loopback and private networks may be reached only where the configuration names them."""
    networks = tuple(ipaddress.ip_network(each, strict=False) for each in settings.capture_networks)
    return Access(networks, settings.capture_contact)


def find(session: Session) -> Sequence[OnlineReceiver]:
    """Receivers by address, in order of name."""
    return session.scalars(select(OnlineReceiver).order_by(OnlineReceiver.name)).all()


def get(session: Session, which: str) -> OnlineReceiver:
    """The receiver with this id or name."""
    wanted = (OnlineReceiver.id == which) | (OnlineReceiver.name == which)
    found = session.scalars(select(OnlineReceiver).where(wanted).execution_options(populate_existing=True)).all()
    if not found:
        raise UnknownError(f"no receiver by address is called {which}: `GET /api/v1/receivers/online` lists them")
    return next((each for each in found if each.id == which), found[0])


def add(store: Store, settings: Settings, fields: OnlineFields, who: str) -> OnlineReceiver:
    """Ask a receiver for its state, and list it. It may take ten seconds and more: never within a transaction.

    Raises InputError for a wrong address, for one that may not be reached and, unless `unchecked`, for one that does not answer;
    ConflictError for one that is listed already.
    """
    given = _row(fields, who)
    with store.reading() as session:
        _check_new(session, given)
    probed = _asked([given], access_of(settings))[0]
    if probed.status is None and (not fields.unchecked or probed.fault is Fault.PRIVATE):
        allow = "; HEIMDALL_CAPTURE_NETWORKS allows it" if probed.fault is Fault.PRIVATE else ""
        raise InputError(f"not added: {probed.reason}{allow}")
    given.address = str(probed.target.address)
    given.state = state_of(probed).model_dump(mode="json")
    with store.writing() as session:
        _check_new(session, given)
        given.name = given.name or _free_name(session, probed)
        given.asked_unix_s = session.scalar(select(now_unix_s()))
        session.add(given)
        session.flush()
        session.refresh(given)
    return given


def change(session: Session, which: str, change: OnlineChange) -> OnlineReceiver:
    """Changes the fields that were given, by name or id. Raises UnknownError."""
    receiver = get(session, which)
    for name in change.model_fields_set:
        value = getattr(change, name)
        setattr(receiver, name, value.get_secret_value() if isinstance(value, SecretStr) else value)
    session.flush()
    return receiver


def delete(session: Session, which: str) -> None:
    """Recordings stay; jobs that would record it go on without."""
    session.execute(delete_rows(OnlineReceiver).where(OnlineReceiver.id == get(session, which).id))


def refresh(store: Store, settings: Settings, which: Sequence[str] = ()) -> list[OnlineReceiver]:
    """Ask those named, or all that are switched on, for their state, and keep it. Never within a transaction."""
    with store.reading() as session:
        chosen = [get(session, each) for each in which] or [each for each in find(session) if each.enabled]
    probed = _asked(chosen, access_of(settings))
    with store.writing() as session:
        for receiver, found in zip(chosen, probed, strict=True):
            state = state_of(found).model_dump(mode="json")
            values: dict[str, Any] = {"state": state, "asked_unix_s": now_unix_s()}
            session.execute(update(OnlineReceiver).where(OnlineReceiver.id == receiver.id).values(**values))
        return [each for each in find(session) if each.id in {receiver.id for receiver in chosen}]


def target_of(receiver: OnlineReceiver) -> Target:
    """The receiver as the drivers take it."""
    place = None
    if receiver.latitude_deg is not None and receiver.longitude_deg is not None:
        place = Place(receiver.latitude_deg, receiver.longitude_deg, receiver.height_m)
    return Target(
        name=receiver.name or "new",
        address=parse_address(receiver.address),
        password=receiver.password,
        place=place,
        gain_db=receiver.gain_db,
        ppm=receiver.ppm,
    )


def listed(receiver: OnlineReceiver) -> ListedReceiver:
    """The receiver as the command line's list has it."""
    names = ("name", "address", "password", "latitude_deg", "longitude_deg", "height_m", "gain_db", "ppm")
    return ListedReceiver.model_validate({name: getattr(receiver, name) for name in names})


def _row(fields: OnlineFields, who: str) -> OnlineReceiver:
    address = parse_address(fields.address)
    if address.kind == SOAPY:
        raise InputError("hardware of one computer is recorded there: heimdall record, or serve it by rtl_tcp")
    values = fields.model_dump(exclude={"address", "password", "unchecked"})
    password = fields.password.get_secret_value() if fields.password else None
    return OnlineReceiver(
        id=secrets.token_hex(8), address=str(address), password=password, enabled=True, created_by=who, **values
    )


def _check_new(session: Session, given: OnlineReceiver) -> None:
    known = find(session)
    if len(known) >= MOST:
        raise ConflictError(f"{MOST} receivers by address are listed, the most there can be: remove some")
    for each in known:
        if each.name == given.name:
            raise ConflictError(f"a receiver by address is called {each.name} already: choose another name")
        if each.address == given.address:
            raise ConflictError(f"{each.address} is listed already, as {each.name}")


def _free_name(session: Session, probed: Probed) -> str:
    status = probed.status
    wanted = (status.tdoa_name or status.title) if status else ""
    known = ReceiverList(receivers=tuple(listed(each) for each in find(session)))
    return free_name(known, wanted or probed.target.address.host)


def _asked(receivers: Sequence[OnlineReceiver], access: Access) -> list[Probed]:
    return probe_all([target_of(each) for each in receivers], access)
