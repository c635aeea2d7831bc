"""The model bundle `NAME.heimdall`: a ZIP of the network, its manifest and its card. Nothing in it is executed or unpickled."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from heimdall.errors import InputError
from heimdall.evidence.radio_map import RadioMap
from heimdall.evidence.radio_map_header import RadioMapHeader
from heimdall.files.atomic import replacing
from heimdall.inference.calibration import Calibration
from heimdall.inference.manifest import FORMAT, FORMAT_VERSION, Channels, Manifest
from heimdall.validation.complaints import complaint

NETWORK, MANIFEST, CARD, RADIO_MAP = "model.onnx", "manifest.json", "MODEL_CARD.md", "radio_map.f32"
SUFFIX = ".heimdall"
_MEMBERS = (NETWORK, MANIFEST, CARD)
_MOST_BYTES = {NETWORK: 2**31, MANIFEST: 2**22, CARD: 2**22, RADIO_MAP: 2**26}
_OLD_ENOUGH = (1980, 1, 1, 0, 0, 0)
"""A member's time stamp: equal contents make equal files."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle's contents, checked."""

    name: str
    network: bytes
    """The ONNX file."""
    cells: int
    """Cells of the window along each side."""
    calibration: Calibration
    scores: dict[str, float]
    training: dict[str, Any]
    """Recipe, accelerator requested, used and why, steps, seconds, and the SHA-256 of the weights."""
    card: str
    radio_map: RadioMap | None = None
    """Radio map of the site that the network was fine-tuned on."""

    def members(self) -> dict[str, bytes]:
        """Everything but the manifest."""
        members = {CARD: self.card.encode(), NETWORK: self.network}
        return members if self.radio_map is None else members | {RADIO_MAP: self.radio_map.content()}

    def manifest(self) -> dict[str, Any]:
        """What stands beside the other members of the bundle, with their hashes."""
        hashes = {name: _sha256(content) for name, content in self.members().items()}
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "sha256": hashes,
            "grid": {"cells": self.cells},
            "channels": Channels().model_dump(mode="json"),
            "calibration": self.calibration.to_json(),
            "scores": self.scores,
            "training": self.training,
            **({} if self.radio_map is None else {"radio_map": self.radio_map.header()}),
        }

    def save(self, path: Path) -> None:
        """Write beside its place and rename: a reader sees the whole file or none."""
        document = json.dumps(self.manifest(), indent=1, allow_nan=False).encode()
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, content in ((MANIFEST, document), *self.members().items()):
                archive.writestr(zipfile.ZipInfo(name, _OLD_ENOUGH), content)


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle: members, sizes, format version, hashes, channels. Raises InputError with what is wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            manifest = _manifest(path, archive.read(MANIFEST))
            members = {name: archive.read(name) for name in archive.namelist() if name != MANIFEST}
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; `heimdall train` makes a model bundle") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: not a model bundle ({error})") from error
    for name, content in members.items():
        if _sha256(content) != manifest.sha256.get(name):
            raise InputError(f"{path}: {name} is not what the manifest says (SHA-256 differs): get the file again")
    return _bundle(path, manifest, members)


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    sizes = {member.filename: member.file_size for member in archive.infolist()}
    if sorted({*sizes, RADIO_MAP}) != sorted((*_MEMBERS, RADIO_MAP)) or len(archive.infolist()) != len(sizes):
        raise InputError(f"{path}: a model bundle holds {', '.join(_MEMBERS)}, perhaps {RADIO_MAP}, and nothing else")
    if any(size > _MOST_BYTES[name] for name, size in sizes.items()):
        raise InputError(f"{path}: a member is larger than any bundle's can be")


def _manifest(path: Path, content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"{path}: {MANIFEST}: {complaint(error)}") from error


def _bundle(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> Bundle:
    try:
        return Bundle(
            name=manifest.name,
            network=members[NETWORK],
            cells=manifest.grid.cells,
            calibration=manifest.calibration,
            scores=manifest.scores,
            training=manifest.training,
            card=members[CARD].decode(),
            radio_map=_radio_map(manifest.radio_map, members.get(RADIO_MAP)),
        )
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {CARD} is not text in UTF-8 ({error})") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _radio_map(header: RadioMapHeader | None, content: bytes | None) -> RadioMap | None:
    if header is None and content is None:
        return None
    if header is None or content is None:
        raise ValueError(f"{MANIFEST} and {RADIO_MAP} have to describe a radio map together, and one of them does not")
    return RadioMap.read(header, content)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
