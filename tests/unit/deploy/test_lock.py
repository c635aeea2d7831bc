"""What the images install is what everything is tested with, and nothing of it goes unchecked."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = sorted((ROOT / "docker" / "lock").glob("*.txt"))
ONE = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<release>[^\s;]+)[^\n]*\\\n(?P<hashes>(?:\s+--hash=\S+(?: \\)?\n)+)", re.MULTILINE
)


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "docker" / "lock" / f"{name}.txt").read_text()
    return {canonicalize_name(one["name"]): one["release"] for one in ONE.finditer(text)}


def constrained() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {
        canonicalize_name(name): release for name, _, release in (line.partition("==") for line in lines) if release
    }


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_each_line_is_a_release_with_hashes(path: Path) -> None:
    text = path.read_text()
    assert ONE.sub("", text) == ""


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_the_releases_are_those_of_the_constraints(path: Path) -> None:
    pins = constrained()
    differing = {name: release for name, release in locked(path.stem).items() if pins.get(name, release) != release}
    assert differing == {}


def test_every_dependency_is_locked() -> None:
    sys.path.insert(0, str(ROOT / "docker"))
    try:
        from lock import torch_releases
        from requirements import requirements
    finally:
        sys.path.pop(0)
    project = ROOT / "pyproject.toml"
    missing = set()
    images = {"mlflow": ["tracking"], "serve": ["serve"]}
    images |= {f"training-{torch}": ["serve", "train"] for torch in torch_releases()}
    for image, extras in images.items():
        have = locked(image) | (locked("serve") if image.startswith("training") else {})
        names = {canonicalize_name(Requirement(line).name) for extra in extras for line in requirements(project, extra)}
        missing |= {(image, name) for name in names - have.keys()}
    assert missing == set()
