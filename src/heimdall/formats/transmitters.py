"""The operator's list of known transmitters: one JSON file, and the same as CSV and as GeoJSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from heimdall.errors import InputError
from heimdall.files.atomic import replace_text, user_list
from heimdall.formats.text import as_utf_8
from heimdall.transmitter import KnownTransmitter
from heimdall.validation.complaints import complaint

T = TypeVar("T")
MOST_BYTES = 1 << 24
_COLUMNS = tuple(KnownTransmitter.model_fields)
_PLACE = ("latitude_deg", "longitude_deg", "height_m")
SUFFIXES = (".csv", ".geojson", ".json")
"""What lists are exchanged as: tables, maps, and the list's own form."""


class TransmitterList(BaseModel):
    """The file. Names are unique, in whatever case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    transmitters: tuple[KnownTransmitter, ...] = ()


def default_path() -> Path:
    """HEIMDALL_TRANSMITTERS, or a file in the configuration folder of the user (XDG)."""
    return user_list("HEIMDALL_TRANSMITTERS", "transmitters.json")


def shipped() -> tuple[KnownTransmitter, ...]:
    """Time signals whose places are published, each with its source."""
    return _parsed("the list that comes with heimdall", Path(__file__).with_suffix(".json").read_bytes())


def own(path: Path) -> tuple[KnownTransmitter, ...]:
    """What the operator's file lists; nothing where there is no file. Raises InputError for a file that is no list."""
    try:
        return _parsed(str(path), _content(path))
    except FileNotFoundError:
        return ()


def known(path: Path | None = None) -> tuple[KnownTransmitter, ...]:
    """The operator's transmitters (of the file given, or of `default_path`), then the shipped ones they do not replace."""
    if path is not None and not path.exists():
        raise InputError(f"{path}: no such file")
    listed = own(path or default_path())
    return with_all(shipped(), listed)


def save(path: Path, transmitters: Iterable[KnownTransmitter]) -> None:
    _write(path, _json(tuple(transmitters)))


def with_all(listed: Sequence[KnownTransmitter], added: Sequence[KnownTransmitter]) -> tuple[KnownTransmitter, ...]:
    """Both; those added go before ones of their name."""
    names = {each.name.casefold() for each in added}
    return (*added, *(each for each in listed if each.name.casefold() not in names))


def read(path: Path) -> tuple[KnownTransmitter, ...]:
    """Transmitters of a CSV, GeoJSON or JSON file. Raises InputError that names the row and what is wrong with it."""
    _check_suffix(str(path))
    try:
        return from_bytes(str(path), _content(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None


def from_bytes(name: str, content: bytes) -> tuple[KnownTransmitter, ...]:
    """As `read`, of a file of that name."""
    reader = _by_suffix(name, {".csv": _from_csv, ".geojson": _from_geojson, ".json": _parsed})
    _check_size(name, content)
    return reader(name, content)


def write(path: Path, transmitters: Sequence[KnownTransmitter]) -> None:
    _write(path, to_text(str(path), transmitters))


def to_text(name: str, transmitters: Sequence[KnownTransmitter]) -> str:
    """What `write` writes into a file of that name."""
    return _by_suffix(name, {".csv": _csv, ".geojson": _geojson, ".json": _json})(transmitters)


def _by_suffix(name: str, ways: Mapping[str, Callable[..., T]]) -> Callable[..., T]:
    _check_suffix(name)
    return ways[Path(name).suffix.lower()]


def _check_suffix(name: str) -> None:
    if Path(name).suffix.lower() not in SUFFIXES:
        raise InputError(f"{name}: transmitters are read and written as {', '.join(SUFFIXES)}")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    _check_size(str(path), content)
    return content


def _check_size(name: str, content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise InputError(f"{name} is not a list of transmitters: it is larger than {MOST_BYTES >> 20} MiB")


def _write(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, content)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def _parsed(name: str, content: bytes) -> tuple[KnownTransmitter, ...]:
    try:
        return _unique(name, TransmitterList.model_validate_json(as_utf_8(content)).transmitters)
    except ValidationError as error:
        raise InputError(f"{name} is not a list of transmitters: {complaint(error)}") from None


def _unique(name: str, transmitters: tuple[KnownTransmitter, ...]) -> tuple[KnownTransmitter, ...]:
    seen: set[str] = set()
    for each in transmitters:
        if each.name.casefold() in seen:
            raise InputError(f"{name}: two transmitters are called {each.name}")
        seen.add(each.name.casefold())
    return transmitters


def _json(transmitters: Sequence[KnownTransmitter]) -> str:
    listed = TransmitterList(transmitters=tuple(transmitters))
    return listed.model_dump_json(indent=2, exclude_none=True) + "\n"


def _from_csv(name: str, content: bytes) -> tuple[KnownTransmitter, ...]:
    try:
        rows = csv.DictReader(io.StringIO(as_utf_8(content).decode(), newline=""))
        header = [column.strip() for column in rows.fieldnames or ()]
        if unknown := [column for column in header if column not in _COLUMNS]:
            raise InputError(f"{name}: column {unknown[0]!r} is unknown; there are {', '.join(_COLUMNS)}")
        rows.fieldnames = header
        found = [
            _one(
                f"{name}: line {rows.line_num}",
                {key: value.strip() for key, value in row.items() if (value or "").strip()},
            )
            for row in rows
        ]
    except (UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise InputError(f"{name} is no table with commas between: {error}") from None
    return _unique(name, tuple(found))


def _one(where: str, values: Mapping[str, object]) -> KnownTransmitter:
    try:
        return KnownTransmitter.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{where}: {complaint(error)}") from None


def _csv(transmitters: Sequence[KnownTransmitter]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(each.model_dump(mode="json", exclude_none=True) for each in transmitters)
    return text.getvalue()


def _from_geojson(name: str, content: bytes) -> tuple[KnownTransmitter, ...]:
    from heimdall.formats.readers.sigmf.metadata import load_json  # its schema takes half a second to load

    try:
        features = load_json(content)["features"]
        found = tuple(_feature(f"{name}: feature {index + 1}", each) for index, each in enumerate(features))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name} is no GeoJSON with features: {error}") from None
    return _unique(name, found)


def _feature(where: str, feature: Mapping[str, Any]) -> KnownTransmitter:
    from heimdall.formats.readers.sigmf.places import point

    place = point(feature.get("geometry"))
    if place is None:
        raise InputError(f"{where}: a Point is expected as its geometry")
    properties = {key: value for key, value in (feature.get("properties") or {}).items() if value is not None}
    return _one(where, {**properties, **{key: getattr(place, key) for key in _PLACE}})


def _geojson(transmitters: Sequence[KnownTransmitter]) -> str:
    features = []
    for each in transmitters:
        coordinates = [each.longitude_deg, each.latitude_deg, *([] if each.height_m is None else [each.height_m])]
        properties = each.model_dump(mode="json", exclude_none=True, exclude=set(_PLACE))
        geometry = {"type": "Point", "coordinates": coordinates}
        features.append({"type": "Feature", "geometry": geometry, "properties": properties})
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=2, ensure_ascii=False) + "\n"
