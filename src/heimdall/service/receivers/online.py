"""Receivers by address: what an operator added, and what each says of itself. Only these are ever connected to."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from sqlalchemy import delete as delete_rows
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from heimdall.capture.faults import Fault
from heimdall.capture.interface import Target
from heimdall.capture.listing import ListedReceiver, ReceiverList, free_name
from heimdall.capture.network.access import Access
from heimdall.capture.network.address import NAME, SOAPY, parse_address
from heimdall.capture.probing import Probed, probe_all
from heimdall.errors import InputError
from heimdall.observation import Place
from heimdall.service.database.store import OnlineReceiver, Store, now_unix_s
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.service.settings import Settings

MOST = 500
"""Receivers that an installation may list."""


class _Described(BaseModel):
    """What an operator says of a receiver. A place goes before what it says of itself."""

    model_config = ConfigDict(extra="forbid")

    password: Annotated[SecretStr | None, Field(max_length=200, description="What the receiver asks for.")] = None
    latitude_deg: Annotated[float | None, Field(ge=-90, le=90)] = None
    longitude_deg: Annotated[float | None, Field(ge=-180, le=180)] = None
    height_m: Annotated[float | None, Field(ge=-1000, le=100_000)] = None
    gain_db: Annotated[
        float | None, Field(ge=-50, le=150, description="Of the tuner; null leaves it to the driver.")
    ] = None
    ppm: Annotated[
        float, Field(gt=-1000, lt=1000, description="Known error of the oscillator in parts per million.")
    ] = 0.0
    note: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="after")
    def _whole_place(self) -> Self:
        given = {"latitude_deg", "longitude_deg"} & self.model_fields_set
        if len(given) == 1 or (self.latitude_deg is None) != (self.longitude_deg is None):
            raise ValueError("a position needs latitude_deg and longitude_deg")
        return self


class OnlineFields(_Described):
    """A receiver to be added."""

    address: Annotated[str, Field(min_length=1, max_length=500, examples=["kiwi://kiwi.example.org:8073"])]
    name: Annotated[
        str, Field(pattern=f"^({NAME.pattern})?$", description="Made of what it calls itself if empty.")
    ] = ""
    unchecked: Annotated[bool, Field(description="Add it although it does not answer.")] = False


class OnlineChange(_Described):
    """What is left out stays as it is; recordings know a receiver by its name, which therefore stays."""

    enabled: bool = True


class ReceiverState(BaseModel):
    """What it said of itself when it was last asked. null: it does not say."""

    usable: bool = Field(description="It can be recorded now.")
    reason: str | None = Field(description="Why not.", examples=["all its 4 slots are taken"])
    fault: str | None = Field(default=None, description="The kind of fault.", examples=["unreachable"])
    gives: str | None = Field(default=None, examples=["iq with gps time"])
    title: str = ""
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    height_m: float | None = None
    users: int | None = None
    slots: int | None = None
    has_gps: bool | None = None
    gps_satellites: int | None = None
    gps_fixes_per_minute: int | None = None
    snr_db: float | None = None
    antenna: str = ""
    band_hz: tuple[float, float] | None = Field(default=None, description="Lowest and highest frequency it receives.")
    software: str = ""
    notes: list[str] = Field(default_factory=list)


class OnlineView(BaseModel):
    """A receiver by address."""

    id: str = Field(examples=["0123456789abcdef"])
    name: str = Field(examples=["HB9ODP"])
    address: str = Field(examples=["kiwi://kiwi.example.org:8073"])
    kind: str = Field(description="kiwi, rtl_tcp, openwebrx, sigmf, or any while that is not known.")
    enabled: bool
    latitude_deg: float | None = Field(description="As the operator says, else as it says itself.")
    longitude_deg: float | None
    height_m: float | None
    placed: bool = Field(description="The operator says where it is.")
    has_password: bool
    gain_db: float | None
    ppm: float
    note: str
    created_by: str
    created_utc: datetime
    asked_utc: datetime | None = Field(description="When it was last asked for its state.")
    state: ReceiverState | None = Field(description="null: it was never asked.")


class OnlineList(BaseModel):
    receivers: list[OnlineView]


def access_of(settings: Settings) -> Access:
    """Loopback and private networks may be reached only where the configuration names them."""
    networks = tuple(ipaddress.ip_network(each, strict=False) for each in settings.capture_networks)
    return Access(networks, settings.capture_contact)


def find(session: Session) -> Sequence[OnlineReceiver]:
    """By name."""
    return session.scalars(select(OnlineReceiver).order_by(OnlineReceiver.name)).all()


def get(session: Session, which: str) -> OnlineReceiver:
    """By id or name."""
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
    given.state = _state_of(probed).model_dump(mode="json")
    with store.writing() as session:
        _check_new(session, given)
        given.name = given.name or _free_name(session, probed)
        given.asked_unix_s = session.scalar(select(now_unix_s()))
        session.add(given)
        session.flush()
        session.refresh(given)
    return given


def change(session: Session, which: str, change: OnlineChange) -> OnlineReceiver:
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
            state = _state_of(found).model_dump(mode="json")
            values: dict[str, Any] = {"state": state, "asked_unix_s": now_unix_s()}
            session.execute(update(OnlineReceiver).where(OnlineReceiver.id == receiver.id).values(**values))
        return [each for each in find(session) if each.id in {receiver.id for receiver in chosen}]


def target_of(receiver: OnlineReceiver) -> Target:
    """As the drivers take it."""
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
    """As the command line's list has it."""
    names = ("name", "address", "password", "latitude_deg", "longitude_deg", "height_m", "gain_db", "ppm")
    return ListedReceiver.model_validate({name: getattr(receiver, name) for name in names})


def view_online(receiver: OnlineReceiver) -> OnlineView:
    state = None if receiver.state is None else ReceiverState.model_validate(receiver.state)
    placed = receiver.latitude_deg is not None
    says = receiver if placed or state is None else state
    names = ("id", "name", "address", "enabled", "gain_db", "ppm", "note", "created_by")
    return OnlineView(
        **{name: getattr(receiver, name) for name in names},
        kind=parse_address(receiver.address).kind,
        latitude_deg=says.latitude_deg,
        longitude_deg=says.longitude_deg,
        height_m=says.height_m,
        placed=placed,
        has_password=receiver.password is not None,
        created_utc=datetime.fromtimestamp(receiver.created_unix_s, UTC),
        asked_utc=None if receiver.asked_unix_s is None else datetime.fromtimestamp(receiver.asked_unix_s, UTC),
        state=state,
    )


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


def _state_of(probed: Probed) -> ReceiverState:
    status = probed.status
    if status is None:
        return ReceiverState(usable=False, reason=probed.problem, fault=probed.fault and probed.fault.value)
    return ReceiverState(
        usable=probed.problem is None,
        reason=probed.problem,
        gives=status.gives.value,
        title=status.title,
        **({} if status.place is None else vars(status.place)),
        users=status.users,
        slots=status.slots,
        has_gps=None if status.gps_satellites is None and status.gps_fixes_per_minute is None else status.has_gps,
        gps_satellites=status.gps_satellites,
        gps_fixes_per_minute=status.gps_fixes_per_minute,
        snr_db=status.snr_db,
        antenna=status.antenna,
        band_hz=status.band_hz,
        software=status.software,
        notes=list(status.notes),
    )
