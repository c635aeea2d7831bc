"""Observations that a program makes, vetted as a reader's are: nothing has looked at their figures before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.validation.reception import flagged

_Described = TypeVar("_Described", Observation, Place, Receiver, Reception)
_OF_OBSERVATION = ("frequency_hz", "bandwidth_hz")
_OF_RECEIVER = ("latitude_deg", "longitude_deg")
_OF_RECEIVER_IF_KNOWN = ("height_m", "clock_sigma_s", "level_sigma_db", "position_sigma_m")
_OF_RECEPTION = ("start_s",)
_OF_RECEPTION_IF_KNOWN = ("sample_rate_hz", "toa_s", "toa_step_s", "rssi_dbm", "rssi_sigma_db", "sensitivity_dbm")
_NUMBER_KINDS = "iufb"


def vetted(observations: Iterable[Observation]) -> list[Observation]:
    """The observations, in their order, as `vet` would have them; one with too few receivers stays.

    Numbers of any kind become floats and recordings arrays of shape (sample count,) and type complex64. A figure of a receiver
    that is no number is a flaw of its reception. What a reader vetted does not change. Raises InputError, naming the
    observation and the field, for what cannot be an observation.
    """
    return [flagged(_plain(index, observation)) for index, observation in enumerate(observations)]


def _plain(index: int, observation: Observation) -> Observation:
    if not isinstance(observation, Observation):
        raise InputError(f"observations[{index}] is of type {type(observation).__name__}: an Observation is expected")
    name = str(observation.id)
    changes: dict[str, Any] = {field: _needed(name, field, getattr(observation, field)) for field in _OF_OBSERVATION}
    if observation.transmitter_height_m is not None:
        changes["transmitter_height_m"] = _needed(name, "transmitter_height_m", observation.transmitter_height_m)
    time_utc, notes = _time(observation.time_utc)
    try:
        given = list(observation.receptions)
    except TypeError:  # an array of no dimension as well, which says of itself that it can be iterated over
        kind = type(observation.receptions).__name__
        raise InputError(f"{name}: its receptions are of type {kind}: Receptions are expected") from None
    receptions = tuple(_reception(name, each, which) for which, each in enumerate(given))
    return replace(
        observation,
        id=name,
        receptions=receptions,
        time_utc=time_utc,
        truth=_truth(name, observation.truth),
        notes=(*observation.notes, *notes),
        **changes,
    )


def _needed(name: str, field: str, value: object) -> float:
    number = _number(value)
    if number is None:
        raise InputError(f"{name}: its {field} {value!r} is not a number")
    return number


def _number(value: object) -> float | None:
    """The value as a float; None for anything but a number, such as text, a truth value or None."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    try:
        return float(value)
    except (OverflowError, ValueError):
        return None


def _time(value: object) -> tuple[datetime | None, tuple[str, ...]]:
    """A time without a zone is UTC, as its field says; what is no time is left out, with a note."""
    if value is None or isinstance(value, datetime):
        return (value if value is None or value.tzinfo else value.replace(tzinfo=UTC)), ()
    return None, (f"its time_utc {value!r} is not used: it is not a datetime",)


def _truth(name: str, truth: object) -> Place | None:
    if truth is None:
        return None
    if not isinstance(truth, Place):
        raise InputError(f"{name}: its truth is of type {type(truth).__name__}: a Place is expected")
    plain, _ = _with_numbers(truth, ("latitude_deg", "longitude_deg"), ("height_m",))
    return plain


def _reception(name: str, reception: Reception, index: int) -> Reception:
    where = f"{name}: its receptions[{index}]"
    if not isinstance(reception, Reception):
        raise InputError(f"{where} is of type {type(reception).__name__}: a Reception is expected")
    if not isinstance(reception.receiver, Receiver):
        raise InputError(f"{where}.receiver is of type {type(reception.receiver).__name__}: a Receiver is expected")
    receiver, of_receiver = _with_numbers(reception.receiver, _OF_RECEIVER, _OF_RECEIVER_IF_KNOWN)
    plain, of_reception = _with_numbers(reception, _OF_RECEPTION, _OF_RECEPTION_IF_KNOWN)
    samples, of_samples = _iq(reception.samples)
    # As in a measurement file, a height that nobody knows is that of a receiver without one.
    receiver = replace(receiver, name=str(receiver.name), height_m=receiver.height_m or 0.0)
    flaw = reception.flaw or of_receiver or of_samples or of_reception or None
    return replace(plain, receiver=receiver, samples=samples, flaw=flaw)


def _with_numbers(described: _Described, needed: tuple[str, ...], if_known: tuple[str, ...]) -> tuple[_Described, str]:
    """With floats in these fields, and what is wrong with the first that holds no number; empty where none does."""
    stated = {field: getattr(described, field) for field in (*needed, *if_known)}
    numbers = {field: _number(value) for field, value in stated.items()}
    wrong = [
        field for field, number in numbers.items() if number is None and (field in needed or stated[field] is not None)
    ]
    no_number = dict.fromkeys(needed, float("nan"))
    filled: dict[str, Any] = {
        field: no_number.get(field) if number is None else number for field, number in numbers.items()
    }
    flaw = f"its {wrong[0]} of {stated[wrong[0]]!r} is not a number" if wrong else ""
    return replace(described, **filled), flaw


def _iq(samples: object) -> tuple[NDArray[np.complex64] | None, str]:
    """A recording as the estimators take it, or what it is instead."""
    if samples is None:
        return None, ""
    try:
        given = np.asarray(samples)
    except (ValueError, TypeError, RuntimeError):  # rows of unequal length, or on another device
        return None, f"its samples, of type {type(samples).__name__}, are no array of complex numbers"
    if given.ndim != 1:
        return None, f"its samples have the shape {given.shape}: one row of complex numbers is expected"
    if given.dtype.kind == "c" or not given.size:
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(given, dtype=np.complex64), ""
    if given.dtype.kind in _NUMBER_KINDS:
        return None, f"its samples are {given.dtype}, not complex: make one complex number of each pair of I and Q"
    return None, f"its samples are {given.dtype}, not complex numbers"
