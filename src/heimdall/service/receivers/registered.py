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
from heimdall.service.database.tables import RegisteredReceiver
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.validation.possible_places import place_flaw
from heimdall.validation.reception import vet

MOST = 10_000
"""Most receivers of one import."""
_NO_PLACE = "no position"
"""How a reader's complaint begins that a registered place answers."""


class Residual(BaseModel):
    """One receiver at one session of a calibration."""

    session: str
    delay_s: float | None
    level_db: float | None


class Correction(BaseModel):
    """What a receiver adds to times and levels, found with a known transmitter; it is subtracted before locating."""

    model_config = ConfigDict(extra="forbid")

    delay_s: FiniteFloat | None = Field(
        default=None, description="How much later than the others the receiver stamps arrivals."
    )
    delay_sigma_s: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    level_bias_db: FiniteFloat | None = Field(
        default=None, description="How much higher than the others the receiver shows levels."
    )
    level_bias_sigma_db: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    observations: int = Field(default=0, ge=0, description="Number of observations that the correction was found from.")
    made_utc: datetime | None = None
    residuals: list[Residual] = Field(default_factory=list, max_length=1000)
    sessions: dict[str, str] = Field(
        default_factory=dict,
        description="Stored sessions that the correction was found from, id and name; it is not applied to these.",
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


class ReceiverFields(BaseModel):
    """A receiver as its owner describes it. Recordings belong to it by its name."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["HB9ODP"])
    latitude_deg: float = Field(ge=-90, le=90, examples=[47.3])
    longitude_deg: float = Field(ge=-180, le=180, examples=[8.5])
    height_m: float = Field(default=0.0, ge=-1000, le=100_000, description="Height above the ellipsoid.")
    clock_sigma_s: Sigma = Field(
        default=None, description="Standard deviation of its time stamps against UTC; null: as its recordings say."
    )
    level_sigma_db: Sigma = Field(
        default=None, description="Standard deviation of its level calibration; null: as its recordings say."
    )
    note: str = Field(default="", max_length=2000)
    correction: Correction | None = None


class RegisteredReceivers(BaseModel):
    """What export writes and import reads."""

    receivers: list[ReceiverFields] = Field(max_length=MOST)


def find(session: Session) -> Sequence[RegisteredReceiver]:
    return find_part(session, Page()).rows


def find_part(session: Session, page: Page) -> Part[RegisteredReceiver]:
    return by_name(session, select(RegisteredReceiver), page)


def get(session: Session, receiver_id: str) -> RegisteredReceiver:
    row = session.get(RegisteredReceiver, receiver_id, populate_existing=True)
    if row is None:
        raise UnknownError(f"no receiver {receiver_id}: `GET /api/v1/receivers` lists them")
    return row


def add(session: Session, fields: ReceiverFields) -> RegisteredReceiver:
    """Raises ConflictError where another receiver has the name."""
    _check_free(session, fields.name)
    row = RegisteredReceiver(id=secrets.token_hex(8), **_columns(fields))
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def change(session: Session, receiver_id: str, fields: ReceiverFields) -> RegisteredReceiver:
    """Puts the fields in place of those before. Raises UnknownError, or ConflictError where another has the name."""
    row = get(session, receiver_id)
    if fields.name != row.name:
        _check_free(session, fields.name)
    for name, value in _columns(fields).items():
        setattr(row, name, value)
    session.flush()
    session.refresh(row)
    return row


def delete(session: Session, receiver_id: str) -> None:
    get(session, receiver_id)
    session.execute(delete_rows(RegisteredReceiver).where(RegisteredReceiver.id == receiver_id))


def import_all(session: Session, listed: RegisteredReceivers) -> int:
    """Add each, or replace the one of its name."""
    known = {row.name: row for row in find(session)}
    for fields in listed.receivers:
        if fields.name in known:
            change(session, known[fields.name].id, fields)
        else:
            known[fields.name] = add(session, fields)
    return len(listed.receivers)


def fields_of(row: RegisteredReceiver) -> ReceiverFields:
    names = [name for name in ReceiverFields.model_fields if name != "correction"]
    values = {name: getattr(row, name) for name in names}
    return ReceiverFields(**values, correction=correction_of(row))


def correction_of(row: RegisteredReceiver) -> Correction | None:
    return None if row.correction is None else Correction.model_validate(row.correction)


def corrected(
    observations: Iterable[Observation],
    rows: Sequence[RegisteredReceiver],
    *,
    places_only: bool = False,
    session_ids: Collection[str] = (),
) -> list[Observation]:
    """The observations with what is known of their receivers: a place where they have none, and corrections taken off.

    A correction that was fitted to one of the stored sessions `session_ids`, which these are from, is left on: what it had
    learnt there would pass for accuracy.
    """
    by_name = {row.name: row for row in rows}
    change = _placed if places_only else functools.partial(_correct, session_ids=session_ids)
    return [_changed(observation, by_name, change) for observation in observations] if by_name else list(observations)


def _changed(
    observation: Observation,
    by_name: Mapping[str, RegisteredReceiver],
    change: Callable[[Reception, RegisteredReceiver], Reception],
) -> Observation:
    receptions = tuple(
        change(reception, by_name[reception.receiver.name]) if reception.receiver.name in by_name else reception
        for reception in observation.receptions
    )
    return observation if receptions == observation.receptions else vet(replace(observation, receptions=receptions))


def _correct(reception: Reception, row: RegisteredReceiver, session_ids: Collection[str]) -> Reception:
    reception = _placed(reception, row)
    reception = replace(reception, receiver=_as_known(reception.receiver, row))
    found = correction_of(row)
    if found is None:
        return reception
    if not found.sessions.keys().isdisjoint(session_ids):
        return replace(reception, correction="its correction was fitted to this session, and is left out here")
    return taken_off(reception, found.to_take_off())


def _placed(reception: Reception, row: RegisteredReceiver) -> Reception:
    """A registered place for a receiver whose own cannot be right; a complaint about that place is answered by it."""
    receiver = reception.receiver
    complaint = place_flaw(receiver)
    if complaint is None:
        return reception
    placed = replace(
        receiver,
        latitude_deg=row.latitude_deg,
        longitude_deg=row.longitude_deg,
        height_m=row.height_m,
        position_sigma_m=None,
    )
    answered = reception.flaw is not None and (reception.flaw == complaint or reception.flaw.startswith(_NO_PLACE))
    return replace(reception, receiver=placed, flaw=None if answered else reception.flaw)


def _as_known(receiver: Receiver, row: RegisteredReceiver) -> Receiver:
    """With the clock and the level as they were registered, where they were."""
    if row.clock_sigma_s is not None:
        receiver = replace(receiver, clock_sigma_s=row.clock_sigma_s)
    if row.level_sigma_db is not None:
        receiver = replace(receiver, level_sigma_db=row.level_sigma_db)
    return receiver


def _columns(fields: ReceiverFields) -> dict[str, object]:
    correction = None if fields.correction is None else fields.correction.model_dump(mode="json")
    return fields.model_dump(exclude={"correction"}) | {"correction": correction}


def _check_free(session: Session, name: str) -> None:
    if session.scalar(select(RegisteredReceiver.id).where(RegisteredReceiver.name == name)) is not None:
        raise ConflictError(f"a receiver named {name} is registered already: edit that one")
