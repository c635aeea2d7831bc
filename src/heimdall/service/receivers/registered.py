"""Receivers that people told us about: their places and clocks, and the corrections that calibration found."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints
from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from heimdall import correction
from heimdall.correction import taken_off
from heimdall.observation import Observation, Receiver, Reception
from heimdall.service.database.paging import Page, Part, by_name
from heimdall.service.database.tables import Station
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.validation.reception import place_flaw, vet

MOST = 10_000
"""Receivers of one import."""
_NO_PLACE = "no position"
"""How a reader's complaint begins that a registered place answers."""


class Residual(BaseModel):
    """One receiver at one session of a calibration."""

    session: str
    delay_s: float | None
    level_db: float | None


class Correction(BaseModel):
    """What a receiver adds to times and levels, found with a known transmitter. It is taken off again."""

    model_config = ConfigDict(extra="forbid")

    delay_s: FiniteFloat | None = Field(default=None, description="How much later than the others it stamps.")
    delay_sigma_s: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    level_bias_db: FiniteFloat | None = Field(default=None, description="How much more than the others it shows.")
    level_bias_sigma_db: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    observations: int = Field(default=0, ge=0, description="It was found from so many.")
    made_utc: datetime | None = None
    residuals: list[Residual] = Field(default_factory=list, max_length=1000)
    sessions: dict[str, str] = Field(
        default_factory=dict,
        description="Stored sessions it was found from, id and name: it is not taken off of these.",
    )

    def to_take_off(self) -> correction.Correction:
        return correction.Correction(
            delay_s=self.delay_s,
            delay_sigma_s=self.delay_sigma_s,
            level_bias_db=self.level_bias_db,
            level_bias_sigma_db=self.level_bias_sigma_db,
            observations=self.observations,
            fitted_to=", ".join(self.sessions.values()),
        )


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Sigma = Annotated[float | None, Field(ge=0, allow_inf_nan=False)]


class StationFields(BaseModel):
    """A receiver as its owner describes it. Recordings belong to it by its name."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["HB9ODP"])
    latitude_deg: float = Field(ge=-90, le=90, examples=[47.3])
    longitude_deg: float = Field(ge=-180, le=180, examples=[8.5])
    height_m: float = Field(default=0.0, ge=-1000, le=100_000, description="Above the ellipsoid.")
    clock_sigma_s: Sigma = Field(default=None, description="Of its stamps against UTC; null: what its recordings say.")
    level_sigma_db: Sigma = Field(default=None, description="Of its level calibration; null: what its recordings say.")
    note: str = Field(default="", max_length=2000)
    correction: Correction | None = None


class StationList(BaseModel):
    """What export writes and import reads."""

    receivers: list[StationFields] = Field(max_length=MOST)


def find(session: Session) -> Sequence[Station]:
    return find_part(session, Page()).rows


def find_part(session: Session, page: Page) -> Part[Station]:
    return by_name(session, select(Station), page)


def get(session: Session, station_id: str) -> Station:
    station = session.get(Station, station_id, populate_existing=True)
    if station is None:
        raise UnknownError(f"no receiver {station_id}: `GET /api/v1/receivers` lists them")
    return station


def add(session: Session, fields: StationFields) -> Station:
    _check_free(session, fields.name)
    station = Station(id=secrets.token_hex(8), **_columns(fields))
    session.add(station)
    session.flush()
    session.refresh(station)
    return station


def change(session: Session, station_id: str, fields: StationFields) -> Station:
    station = get(session, station_id)
    if fields.name != station.name:
        _check_free(session, fields.name)
    for name, value in _columns(fields).items():
        setattr(station, name, value)
    session.flush()
    session.refresh(station)
    return station


def delete(session: Session, station_id: str) -> None:
    get(session, station_id)
    session.execute(delete_rows(Station).where(Station.id == station_id))


def import_all(session: Session, stations: StationList) -> int:
    """Add each, or replace the one of its name."""
    known = {station.name: station for station in find(session)}
    for fields in stations.receivers:
        if fields.name in known:
            change(session, known[fields.name].id, fields)
        else:
            known[fields.name] = add(session, fields)
    return len(stations.receivers)


def fields_of(station: Station) -> StationFields:
    names = [name for name in StationFields.model_fields if name != "correction"]
    values = {name: getattr(station, name) for name in names}
    return StationFields(**values, correction=correction_of(station))


def correction_of(station: Station) -> Correction | None:
    return None if station.correction is None else Correction.model_validate(station.correction)


def corrected(
    observations: Iterable[Observation],
    stations: Sequence[Station],
    *,
    places_only: bool = False,
    session_ids: Collection[str] = (),
) -> list[Observation]:
    """The observations with what is known of their receivers: a place where they have none, and corrections taken off.

    A correction that was fitted to one of the stored sessions `session_ids`, which these are from, is left on: what it had
    learnt there would pass for accuracy.
    """
    by_name = {station.name: station for station in stations}
    change = _placed if places_only else functools.partial(_correct, session_ids=session_ids)
    return [_changed(observation, by_name, change) for observation in observations] if by_name else list(observations)


def _changed(
    observation: Observation, by_name: Mapping[str, Station], change: Callable[[Reception, Station], Reception]
) -> Observation:
    receptions = tuple(
        change(reception, by_name[reception.receiver.name]) if reception.receiver.name in by_name else reception
        for reception in observation.receptions
    )
    return observation if receptions == observation.receptions else vet(replace(observation, receptions=receptions))


def _correct(reception: Reception, station: Station, session_ids: Collection[str]) -> Reception:
    reception = _placed(reception, station)
    reception = replace(reception, receiver=_as_known(reception.receiver, station))
    found = correction_of(station)
    if found is None:
        return reception
    if not found.sessions.keys().isdisjoint(session_ids):
        return replace(reception, correction="its correction was fitted to this session, and is left out here")
    return taken_off(reception, found.to_take_off())


def _placed(reception: Reception, station: Station) -> Reception:
    """A registered place for a receiver whose own cannot be right; a complaint about that place is answered by it."""
    receiver = reception.receiver
    complaint = place_flaw(receiver)
    if complaint is None:
        return reception
    placed = replace(
        receiver,
        latitude_deg=station.latitude_deg,
        longitude_deg=station.longitude_deg,
        height_m=station.height_m,
        position_sigma_m=None,
    )
    answered = reception.flaw is not None and (reception.flaw == complaint or reception.flaw.startswith(_NO_PLACE))
    return replace(reception, receiver=placed, flaw=None if answered else reception.flaw)


def _as_known(receiver: Receiver, station: Station) -> Receiver:
    """With the clock and the level as they were registered, where they were."""
    if station.clock_sigma_s is not None:
        receiver = replace(receiver, clock_sigma_s=station.clock_sigma_s)
    if station.level_sigma_db is not None:
        receiver = replace(receiver, level_sigma_db=station.level_sigma_db)
    return receiver


def _columns(fields: StationFields) -> dict[str, object]:
    correction = None if fields.correction is None else fields.correction.model_dump(mode="json")
    return fields.model_dump(exclude={"correction"}) | {"correction": correction}


def _check_free(session: Session, name: str) -> None:
    if session.scalar(select(Station.id).where(Station.name == name)) is not None:
        raise ConflictError(f"a receiver named {name} is registered already: edit that one")
