"""Receivers by address as the API has them: what an operator says of one, and what it says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from heimdall.capture.network.address import NAME, parse_address
from heimdall.capture.probing import Probed
from heimdall.service.database.tables import OnlineReceiver


class _Described(BaseModel):
    """What an operator says of a receiver. A position that the operator gives overrides what the receiver says."""

    model_config = ConfigDict(extra="forbid")

    password: Annotated[SecretStr | None, Field(max_length=200, description="Password that the receiver asks for.")] = (
        None
    )
    latitude_deg: Annotated[float | None, Field(ge=-90, le=90)] = None
    longitude_deg: Annotated[float | None, Field(ge=-180, le=180)] = None
    height_m: Annotated[float | None, Field(ge=-1000, le=100_000)] = None
    gain_db: Annotated[
        float | None, Field(ge=-50, le=150, description="Gain of the tuner; null leaves it to the driver.")
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
        str, Field(pattern=f"^({NAME.pattern})?$", description="Short name; if empty, made from the receiver's own.")
    ] = ""
    unchecked: Annotated[bool, Field(description="Add the receiver even if it does not answer.")] = False


class OnlineChange(_Described):
    """What is left out stays as it is; recordings know a receiver by its name, which therefore stays."""

    enabled: bool = True


class ReceiverState(BaseModel):
    """What the receiver said of itself when it was last asked; null where it does not say."""

    usable: bool = Field(description="Whether the receiver can be recorded now.")
    reason: str | None = Field(
        description="Why the receiver cannot be recorded now.", examples=["all its 4 slots are taken"]
    )
    fault: str | None = Field(default=None, description="Kind of the fault.", examples=["unreachable"])
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
    band_hz: tuple[float, float] | None = Field(
        default=None, description="Lowest and highest frequency that it receives."
    )
    software: str = ""
    notes: list[str] = Field(default_factory=list)


class OnlineView(BaseModel):
    """A receiver by address."""

    id: str = Field(examples=["0123456789abcdef"])
    name: str = Field(examples=["HB9ODP"])
    address: str = Field(examples=["kiwi://kiwi.example.org:8073"])
    kind: str = Field(description="Kind of receiver: kiwi, rtl_tcp, openwebrx or sigmf; any while it is unknown.")
    enabled: bool
    latitude_deg: float | None = Field(description="Latitude as the operator gave it, otherwise as the receiver says.")
    longitude_deg: float | None
    height_m: float | None
    placed: bool = Field(description="Whether the operator gave its position.")
    has_password: bool
    gain_db: float | None
    ppm: float
    note: str
    created_by: str
    created_utc: datetime
    asked_utc: datetime | None = Field(description="When the receiver was last asked for its state.")
    state: ReceiverState | None = Field(description="State at that time; null if it was never asked.")


class OnlineList(BaseModel):
    receivers: list[OnlineView]


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


def state_of(probed: Probed) -> ReceiverState:
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
