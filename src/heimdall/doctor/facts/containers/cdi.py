"""The Container Device Interface: which devices its files describe, and whether they still fit the host.

Specifications are YAML or JSON. The standard library reads no YAML, and only three keys matter, so those are found line
by line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from heimdall.doctor.host import Host

# The later folder wins where both describe a device.
CDI_FOLDERS = ("/etc/cdi", "/var/run/cdi")
_VALUE = r"""[ \t]*:[ \t]*["']?([^"',}\]\n]+?)["']?\s*(?:[,}\]#]|$)"""
_KIND = re.compile(r"^[\"']?kind[\"']?" + _VALUE, re.MULTILINE)
_NAME = re.compile(r"(?:^\s*-?\s*|[{,]\s*)[\"']?name[\"']?" + _VALUE, re.MULTILINE)
_HOST_PATH = re.compile(r"hostPath[\"']?" + _VALUE, re.MULTILINE)
_PATH = re.compile(r"(?:^|[\s{,\"'])path[\"']?" + _VALUE, re.MULTILINE)
_LIBRARY = re.compile(r"/lib(?:cuda|nvidia-ml)\.so\.(\d+\.\d+[\d.]*)$")


@dataclass(frozen=True)
class CdiDevice:
    """`name` as Docker takes it (vendor.com/class=device), and the file that describes it."""

    name: str
    path: str


@dataclass(frozen=True)
class CdiSpec:
    path: str
    kind: str
    devices: tuple[str, ...]
    host_paths: tuple[str, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """The driver versions in the names of the libraries it would mount."""
        found = (_LIBRARY.search(path) for path in self.host_paths)
        return tuple(dict.fromkeys(match.group(1) for match in found if match))


def read_specs(host: Host, folders: Iterable[str] = CDI_FOLDERS) -> tuple[CdiSpec, ...]:
    """Every specification below the folders; two folders that are one through a link count once."""
    found: dict[str, CdiSpec] = {}
    for folder in folders:
        for name in host.names(folder):
            path = f"{folder.rstrip('/')}/{name}"
            if name.endswith((".yaml", ".yml", ".json")):
                found.setdefault(host.real(path), parse_spec(path, host.read(path) or ""))
    return tuple(found.values())


def parse_spec(path: str, text: str) -> CdiSpec:
    """A file that is no specification gives one without devices and paths."""
    kind, names, paths = _from_json(text) if text.lstrip().startswith("{") else _from_yaml(text)
    return CdiSpec(path, kind, tuple(dict.fromkeys(names)), tuple(dict.fromkeys(paths)))


def _from_json(text: str) -> tuple[str, list[str], list[str]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "", [], []
    devices = document.get("devices")
    listed = devices if isinstance(devices, list) else []
    named = [str(item["name"]) for item in listed if isinstance(item, dict) and "name" in item]
    return str(document.get("kind", "")), named, list(_host_paths(document))


def _host_paths(node: Any) -> Iterator[str]:
    """Mounts and device nodes name a path on the host; a device node without one, and a hook, mean `path` itself."""
    if isinstance(node, dict):
        own = node.get("hostPath", node.get("path"))
        if isinstance(own, str):
            yield own
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _host_paths(child)


def _from_yaml(text: str) -> tuple[str, list[str], list[str]]:
    kind = _KIND.search(text)
    # From `devices:` at the top level to the next key at the top level.
    devices = re.search(r"^devices:.*?(?=^[A-Za-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    names = [name.strip() for name in _NAME.findall(devices.group(0))] if devices else []
    paths: list[str] = []
    for item in _items(text):
        paths += _HOST_PATH.findall(item) or _PATH.findall(item)
    return (kind.group(1).strip() if kind else ""), names, [path.strip() for path in paths]


def _items(text: str) -> list[str]:
    """The text cut where a list item begins."""
    return re.split(r"^(?=\s*-\s)", text, flags=re.MULTILINE)


def cdi_devices(host: Host, folders: Iterable[str] = CDI_FOLDERS) -> tuple[CdiDevice, ...]:
    return tuple(
        CdiDevice(f"{spec.kind}={name}", spec.path) for spec in read_specs(host, folders) for name in spec.devices
    )


def missing_paths(host: Host, spec: CdiSpec) -> tuple[str, ...]:
    return tuple(path for path in spec.host_paths if not host.exists(path))


def describers(specs: Iterable[CdiSpec]) -> dict[str, tuple[CdiSpec, ...]]:
    """Every device with the specifications that describe it, in the order of their folders."""
    found: dict[str, tuple[CdiSpec, ...]] = {}
    for spec in specs:
        for name in spec.devices:
            found[f"{spec.kind}={name}"] = (*found.get(f"{spec.kind}={name}", ()), spec)
    return found
