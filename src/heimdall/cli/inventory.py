"""The Python packages of this installation and their licences, as their own metadata tell: a software bill of materials."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageMetadata, distributions
from typing import Any

UNKNOWN = "not stated"
_CLASSIFIER = "License :: "
_LONGEST = 60
"""Older packages put the whole text of their licence where its name belongs."""


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    licence: str
    """An SPDX expression where the package gives one, else its own words."""
    requires: tuple[str, ...]
    """Names of what it needs here, normalised."""


def packages() -> list[Package]:
    """The installed packages by name, each once: the first on the path is the one that is imported."""
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        found.setdefault(normalised(distribution.metadata["Name"]), distribution)
    return [_package(name, found[name], found.keys()) for name in sorted(found)]


def normalised(name: str) -> str:
    """The name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def cyclonedx(found: list[Package]) -> dict[str, Any]:
    """A document by the schema of CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json)."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": _component(next(package for package in found if package.name == "heimdall")),
        },
        "components": [_component(package) for package in found if package.name != "heimdall"],
        "dependencies": [
            {
                "ref": _address(package),
                "dependsOn": [_address(other) for other in found if other.name in package.requires],
            }
            for package in found
        ],
    }


def _package(name: str, distribution: Distribution, there: Any) -> Package:
    needed = {normalised(re.split(r"[^\w.-]", line.strip(), maxsplit=1)[0]) for line in distribution.requires or ()}
    licence = _licence(distribution.metadata)
    return Package(name, distribution.version, licence, tuple(sorted(needed & set(there))))


def _licence(metadata: PackageMetadata) -> str:
    expression, words = (
        "".join((metadata.get_all(name) or [])[:1]).strip() for name in ("License-Expression", "License")
    )
    if expression:
        return expression
    classified = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if line.startswith(_CLASSIFIER)
    ]
    if classified:
        return " AND ".join(sorted(set(classified)))
    first = words.splitlines()[0] if words else UNKNOWN
    return first if len(first) <= _LONGEST else UNKNOWN


def _address(package: Package) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"


def _component(package: Package) -> dict[str, Any]:
    licences = [] if package.licence == UNKNOWN else [{"license": {"name": package.licence}}]
    return {
        "type": "application" if package.name == "heimdall" else "library",
        "bom-ref": _address(package),
        "name": package.name,
        "version": package.version,
        "purl": _address(package),
        "licenses": licences,
    }
