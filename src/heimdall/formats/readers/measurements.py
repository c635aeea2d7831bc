"""Measurement files: observations as lines of JSON or as a table, with an arrival time and a power for each receiver."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from statistics import median
from typing import Annotated, Any, NoReturn

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.errors import InputError, TooLargeError
from heimdall.formats.coordinates import COARSE_M, place_sigma_m
from heimdall.formats.json_text import stated_once
from heimdall.formats.readers.arrival_digits import exact_number, with_written_times, written_time
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.measurement_rows import rows_of
from heimdall.formats.readers.row_complaint import is_no_value, row_complaint
from heimdall.formats.readers.row_time import unread_time, utc_if_read
from heimdall.formats.readers.tables import Row
from heimdall.formats.readers.unread import Part, each_by_itself
from heimdall.formats.text import as_utf_8, composed, is_utf_8
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.validation.reception import vet

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


_NAMES = ("id", "receiver")


class _Row(BaseModel):
    """An unknown key is refused: it would be a misspelt one more often than one that does not matter."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object, field: ValidationInfo) -> object:
        """True would pass as 1. Words for no value mean null, except as a name."""
        if isinstance(value, bool):
            raise PydanticCustomError("truth_value", "true and false are no values of it; unknown is null")
        return None if is_no_value(value) and field.field_name not in _NAMES else value


class _Measurement(_Row):
    receiver: Annotated[str, Field(coerce_numbers_to_str=True)]
    latitude_deg: float
    longitude_deg: float
    height_m: float | None = None
    position_sigma_m: float | None = None
    toa_s: float | None = None
    clock_sigma_s: float | None = None
    rssi_dbm: float | None = None
    rssi_sigma_db: float | None = None
    sensitivity_dbm: FiniteFloat | None = None

    @field_validator("receiver")
    @classmethod
    def _one_spelling(cls, name: str) -> str:
        """The name with accents as single letters, like the names of recordings."""
        if not name.strip():
            raise PydanticCustomError("no_name", "a receiver needs a name")
        return composed(name)

    def to_reception(self) -> Reception:
        receiver = Receiver(
            self.receiver,
            self.latitude_deg,
            self.longitude_deg,
            0.0 if self.height_m is None else self.height_m,
            self.clock_sigma_s,
        )
        return Reception(
            receiver,
            toa_s=self.toa_s,
            rssi_dbm=self.rssi_dbm,
            rssi_sigma_db=self.rssi_sigma_db,
            sensitivity_dbm=self.sensitivity_dbm,
        )


class _Truth(_Row):
    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    height_m: FiniteFloat | None = None


class _Table(_Row):
    id: Annotated[str, Field(coerce_numbers_to_str=True)]
    time_utc: datetime | None = None
    frequency_hz: _Positive
    bandwidth_hz: _Positive
    height_m: FiniteFloat | None = None
    measurements: list[_Measurement]
    truth: _Truth | None = None

    @field_validator("time_utc", mode="wrap")
    @classmethod
    def _time_if_read(cls, value: object, read: ValidatorFunctionWrapHandler) -> datetime | None:
        """In UTC; None for what cannot be read, which a note says: locating does not need it."""
        return utc_if_read(value, read)

    def rounded_m(self, given: Sequence[float]) -> list[float | None]:
        """The position uncertainty of each receiver: as stated, or as rounded where the others' places have more digits.

        `given` is what the decimals of each place leave open.

        Programs that write all places with few digits mean them exactly; one among others that is coarse was rounded.
        """
        fine = bool(given) and median(given) < COARSE_M
        return [
            rounded_m
            if each.position_sigma_m is None and fine and rounded_m > COARSE_M
            else each.position_sigma_m or None
            for each, rounded_m in zip(self.measurements, given, strict=True)
        ]

    def rounding_note(self, given: Sequence[float]) -> tuple[str, ...]:
        """A note that positions with few digits are taken as exact, if a clock is better than their rounding would be."""
        rounded_m = median(given or [0.0])
        clocks_s = [each.clock_sigma_s for each in self.measurements if each.toa_s is not None and each.clock_sigma_s]
        stated = any(each.position_sigma_m is not None for each in self.measurements)
        if stated or rounded_m < COARSE_M or not clocks_s or min(clocks_s) * SPEED_OF_LIGHT_M_S > rounded_m:
            return ()
        return (
            f"positions with few decimals are taken as exact: if they are rounded, set position_sigma_m to {rounded_m:.0f}",
        )

    def to_observation(self) -> Observation:
        given = [place_sigma_m(None, each.latitude_deg, each.longitude_deg) or 0.0 for each in self.measurements]
        receptions = [measurement.to_reception() for measurement in self.measurements]
        placed = [
            replace(each, receiver=replace(each.receiver, position_sigma_m=sigma_m))
            for each, sigma_m in zip(receptions, self.rounded_m(given), strict=True)
        ]
        return Observation(
            id=self.id,
            frequency_hz=self.frequency_hz,
            bandwidth_hz=self.bandwidth_hz,
            receptions=tuple(placed),
            time_utc=self.time_utc,
            transmitter_height_m=self.height_m,
            truth=None if self.truth is None else Place(**self.truth.model_dump()),
            notes=self.rounding_note(given),
        )


_FIELDS = {"": _Table.model_fields, "measurements": _Measurement.model_fields, "truth": _Truth.model_fields}


def measurement_schema(ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """The JSON schema of one line, for whoever writes such files."""
    return _Table.model_json_schema(ref_template=ref_template)


def read_measurements(name: str, content: bytes, limits: Limits | None = None) -> list[Observation]:
    """Observations in the order of the lines; empty lines are skipped. One JSON document with all of them is read as well.

    A line that is not a measurement costs itself alone: the next observation, or the last, has a note with its number. Raises
    InputError, with that of the first line, where none is one, and TooLargeError for more lines than the limit.
    """
    return list(iterate_measurements(name, content, limits))


def iterate_measurements(
    name: str, content: bytes | Iterable[bytes], limits: Limits | None = None
) -> Iterator[Observation]:
    """As `read_measurements`, one observation in memory at a time; an open file gives its lines as they are needed."""
    rows = rows_of(name, [as_utf_8(content)] if isinstance(content, bytes) else content)
    yield from each_by_itself(_parts(name, rows, limits or Limits()))


def _parts(name: str, rows: Iterator[Row], limits: Limits) -> Iterator[Part]:
    found = 0
    try:
        for row in rows:
            if found == limits.rows:
                raise TooLargeError(f"{name}: more than {found} lines; split it into several files")
            yield partial(_observations, row)
            found += 1
        if not found:
            raise InputError(f"{name}: contains no measurement; one JSON object per line is expected, or a table")
    except TooLargeError:
        raise
    except InputError as error:  # the rest of a damaged file
        yield partial(_fail, error)


def _fail(error: InputError) -> NoReturn:
    raise error


def _observations(row: Row) -> list[Observation]:
    return [_observation(row)]


def _observation(row: Row) -> Observation:
    try:
        if row.flaw is not None:
            raise InputError(row.flaw)
        observation = _Table.model_validate_json(row.text).to_observation()
        document = _exact(row.text)
        observation = replace(
            observation, notes=(*observation.notes, *unread_time(document.get("time_utc"), observation.time_utc))
        )
        return vet(with_written_times(observation, _times(document)))
    except ValidationError as error:
        if not is_utf_8(row.text):
            raise InputError(f"{row.where}: it is not written in UTF-8: save the file as UTF-8") from error
        raise InputError(f"{row.where}: {row_complaint(error, _FIELDS, row.cells)}") from error
    except (InputError, OverflowError) as error:
        raise InputError(f"{row.where}: {error}") from error


def _exact(line: bytes) -> dict[str, Any]:
    """A valid row with every digit of its numbers. Raises InputError for a key that is stated twice, differently."""
    document: dict[str, Any] = json.loads(
        line, parse_float=exact_number, parse_int=exact_number, object_pairs_hook=stated_once
    )
    return document


def _times(document: Mapping[str, Any]) -> list[Decimal | None]:
    """The arrival time of each receiver."""
    return [written_time(each.get("toa_s")) for each in document["measurements"]]


def measurements_text(observations: Iterable[Observation]) -> str:
    """A measurement file's content. Raises InputError for an observation that holds IQ: that is what SigMF is for."""
    return "".join(json.dumps(_to_row(observation), ensure_ascii=False) + "\n" for observation in observations)


def _to_row(observation: Observation) -> dict[str, Any]:
    if any(reception.samples is not None for reception in observation.receptions):
        raise InputError(f"{observation.id} holds IQ: write it as SigMF; a measurement file has times and powers only")
    return {
        "id": observation.id,
        "time_utc": None if observation.time_utc is None else _utc_text(observation.time_utc),
        "frequency_hz": observation.frequency_hz,
        "bandwidth_hz": observation.bandwidth_hz,
        "height_m": observation.transmitter_height_m,
        "measurements": [_to_measurement(reception) for reception in observation.receptions],
        "truth": None if observation.truth is None else vars(observation.truth),
    }


def _utc_text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _position_sigma(receiver: Receiver) -> dict[str, float]:
    """A place that is exact says so where its few digits would read as rounded."""
    if receiver.position_sigma_m is not None:
        return {"position_sigma_m": receiver.position_sigma_m}
    coarse = (place_sigma_m(None, receiver.latitude_deg, receiver.longitude_deg) or 0.0) > COARSE_M
    return {"position_sigma_m": 0.0} if coarse else {}


def _to_measurement(reception: Reception) -> dict[str, Any]:
    receiver = reception.receiver
    return {
        "receiver": receiver.name,
        "latitude_deg": receiver.latitude_deg,
        "longitude_deg": receiver.longitude_deg,
        "height_m": receiver.height_m,
        **_position_sigma(receiver),
        "toa_s": reception.toa_s,
        "clock_sigma_s": receiver.clock_sigma_s,
        "rssi_dbm": reception.rssi_dbm,
        "rssi_sigma_db": reception.rssi_sigma_db,
        "sensitivity_dbm": reception.sensitivity_dbm,
    }
