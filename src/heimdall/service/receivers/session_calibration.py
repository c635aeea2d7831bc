"""Calibration on known transmitters: from stored sessions to the corrections of registered receivers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.estimation.receivers.receiver_bias import Bias, SiteBiases, site_biases
from heimdall.observation import Observation, Receiver
from heimdall.service.database.store import Store
from heimdall.service.database.tables import RegisteredReceiver, StoredSession
from heimdall.service.errors import ConflictError
from heimdall.service.receivers import registered
from heimdall.service.receivers.registered import Correction, ReceiverFields, Residual
from heimdall.service.settings import Settings
from heimdall.service.storage import sessions

_MOST_RESIDUALS = 200


class Calibrated(BaseModel):
    """What was found of one receiver."""

    name: str
    correction: Correction
    receiver: str | None = Field(description="Id of the registered receiver; null if none has that name.")


class Calibration(BaseModel):
    observations: int = Field(description="Number of observations with a known transmitter that were used.")
    stored: bool
    receivers: list[Calibrated]


def calibrate(settings: Settings, chosen: Sequence[StoredSession], known: Sequence[RegisteredReceiver]) -> Calibration:
    """Find delays and level biases; nothing is stored. Raises InputError where no transmitter is known."""
    observations = _observations(settings, chosen, known)
    found = site_biases(observations)
    names = {stored.id: stored.name for stored in chosen}
    ids = {row.name: row.id for row in known}
    return Calibration(
        observations=found.observations,
        stored=False,
        receivers=[
            Calibrated(name=name, correction=_correction(name, found, names), receiver=ids.get(name))
            for name in _names(found)
        ],
    )


def keep(store: Store, settings: Settings, chosen: Sequence[StoredSession], calibration: Calibration) -> Calibration:
    """Keep the corrections; receivers that nobody registered are registered at their place in the recordings."""
    missing = any(each.receiver is None for each in calibration.receivers)
    places = _places(_observations(settings, chosen, ())) if missing else {}
    with store.writing() as session:
        known = {row.name: row for row in registered.find(session)}
        kept = [_kept(session, each, known.get(each.name), places) for each in calibration.receivers]
    return calibration.model_copy(update={"stored": True, "receivers": kept})


def _kept(
    session: Session, each: Calibrated, row: RegisteredReceiver | None, places: Mapping[str, Receiver]
) -> Calibrated:
    if row is None:
        if each.name not in places:
            raise ConflictError(f"receiver {each.name} was forgotten meanwhile: calibrate again")
        row = registered.add(session, _fields(places[each.name]))
    fields = registered.fields_of(row).model_copy(update={"correction": each.correction})
    registered.change(session, row.id, fields)
    return each.model_copy(update={"receiver": row.id})


def _observations(
    settings: Settings, chosen: Sequence[StoredSession], known: Sequence[RegisteredReceiver]
) -> list[Observation]:
    """The observations of the sessions, without corrections: one must not be found on top of another."""
    if not chosen:
        raise InputError("name at least one session whose transmitter is known")
    observations = [observation for stored in chosen for observation in sessions.read(settings, stored)]
    return registered.corrected(observations, known, places_only=True)


def _correction(name: str, found: SiteBiases, fitted_to: dict[str, str]) -> Correction:
    delay, level = _named(name, found.delays_s), _named(name, found.levels_db)
    return Correction(
        delay_s=None if delay is None else delay.value,
        delay_sigma_s=None if delay is None else delay.sigma,
        level_bias_db=None if level is None else level.value,
        level_bias_sigma_db=None if level is None else level.sigma,
        observations=found.observations,
        made_utc=datetime.now(UTC),
        residuals=_residuals(delay, level, found.ids),
        sessions=fitted_to,
    )


def _residuals(delay: Bias | None, level: Bias | None, names: Sequence[str]) -> list[Residual]:
    rows = [
        Residual(session=name, delay_s=_at(delay, index), level_db=_at(level, index))
        for index, name in enumerate(names)
    ]
    return [row for row in rows if row.delay_s is not None or row.level_db is not None][:_MOST_RESIDUALS]


def _at(bias: Bias | None, index: int) -> float | None:
    return None if bias is None or index >= len(bias.residuals) else bias.residuals[index]


def _named(name: str, biases: Iterable[Bias]) -> Bias | None:
    return next((bias for bias in biases if bias.name == name), None)


def _names(found: SiteBiases) -> list[str]:
    return list(dict.fromkeys(bias.name for bias in (*found.delays_s, *found.levels_db)))


def _places(observations: Iterable[Observation]) -> dict[str, Receiver]:
    return {each.name: each for observation in observations for each in observation.usable_receivers}


def _fields(receiver: Receiver) -> ReceiverFields:
    return ReceiverFields(
        name=receiver.name,
        latitude_deg=receiver.latitude_deg,
        longitude_deg=receiver.longitude_deg,
        height_m=receiver.height_m,
    )
