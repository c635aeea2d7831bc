"""The model bundle `NAME.heimdall`: a ZIP of the network, its manifest and its card. Nothing in it is executed or unpickled."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heimdall.errors import InputError
from heimdall.evidence.radio_map import RadioMap
from heimdall.files import replacing
from heimdall.inference.calibration import Calibration
from heimdall.inference.window import MAPS, TOKENS

FORMAT = "heimdall-bundle"
FORMAT_VERSION = 3
"""Counts up whenever networks are shown something else than before: 3 since levels count by their stated uncertainty and the
search, the prior and the power law reach beyond twice the receivers' extent."""
NETWORK, MANIFEST, CARD, RADIO_MAP = "model.onnx", "manifest.json", "MODEL_CARD.md", "radio_map.f32"
SUFFIX = ".heimdall"
_MEMBERS = (NETWORK, MANIFEST, CARD)
_MOST_BYTES = {NETWORK: 2**31, MANIFEST: 2**22, CARD: 2**22, RADIO_MAP: 2**26}
_MOST_CELLS = 512
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
    channels: dict[str, list[str]] = field(default_factory=lambda: {"maps": list(MAPS), "tokens": list(TOKENS)})
    radio_map: RadioMap | None = None
    """Of the site that the network was fine-tuned on."""

    def members(self) -> dict[str, bytes]:
        """Everything but the manifest."""
        members = {CARD: self.card.encode(), NETWORK: self.network}
        return members if self.radio_map is None else members | {RADIO_MAP: self.radio_map.content()}

    def manifest(self) -> dict[str, Any]:
        hashes = {name: _sha256(content) for name, content in self.members().items()}
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "sha256": hashes,
            "grid": {"cells": self.cells},
            "channels": self.channels,
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
        if _sha256(content) != manifest["sha256"].get(name):
            raise InputError(f"{path}: {name} is not what the manifest says (SHA-256 differs): get the file again")
    return _bundle(path, manifest, members)


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    sizes = {member.filename: member.file_size for member in archive.infolist()}
    if sorted({*sizes, RADIO_MAP}) != sorted((*_MEMBERS, RADIO_MAP)) or len(archive.infolist()) != len(sizes):
        raise InputError(f"{path}: a model bundle holds {', '.join(_MEMBERS)}, perhaps {RADIO_MAP}, and nothing else")
    if any(size > _MOST_BYTES[name] for name, size in sizes.items()):
        raise InputError(f"{path}: a member is larger than any bundle's can be")


def _manifest(path: Path, content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise InputError(f"{path}: {MANIFEST} is not JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path}: {MANIFEST} does not describe a model bundle")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path}: bundle format {manifest.get('format_version')}, this program reads {FORMAT_VERSION}: train the model again"
        )
    if not isinstance(manifest.get("sha256"), dict):
        raise InputError(f"{path}: {MANIFEST} has no hashes")
    return manifest


def _bundle(path: Path, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> Bundle:
    try:
        bundle = Bundle(
            name=str(manifest["name"]),
            network=members[NETWORK],
            cells=_cells(manifest["grid"]["cells"]),
            calibration=Calibration.from_json(manifest["calibration"]),
            scores={str(name): float(score) for name, score in manifest["scores"].items()},
            training=dict(manifest["training"]),
            card=members[CARD].decode(),
            channels=dict(manifest["channels"]),
            radio_map=RadioMap.read(manifest["radio_map"], members[RADIO_MAP]) if RADIO_MAP in members else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: {MANIFEST} is incomplete or wrong ({error!r})") from error
    if bundle.channels != {"maps": list(MAPS), "tokens": list(TOKENS)}:
        raise InputError(
            f"{path}: the network reads other channels than this version of heimdall makes; train it again"
        )
    return bundle


def _cells(value: object) -> int:
    if not isinstance(value, int) or not 0 < value <= _MOST_CELLS:
        raise ValueError(f"a window of {value!r} cells; 1 to {_MOST_CELLS} are possible")
    return value


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
