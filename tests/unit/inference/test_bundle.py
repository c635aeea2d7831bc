"""A bundle is read only if it is whole, unchanged, and of this format; anything else is one clear line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.errors import InputError
from heimdall.inference.bundle import CARD, MANIFEST, NETWORK, RADIO_MAP, Bundle, read_bundle
from heimdall.inference.calibration import Calibration
from heimdall.inference.manifest import FORMAT_VERSION


def _bundle() -> Bundle:
    return Bundle("quick", b"onnx bytes", 24, Calibration(scenes=7), {"hybrid_ratio": 0.99}, {"seed": 1}, "# card\n")


def _rewritten(path: Path, **changes: bytes) -> Path:
    """The bundle with members replaced (None removes) under the names model, manifest, card, or added."""
    names = {"model": NETWORK, "manifest": MANIFEST, "card": CARD}
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= {names.get(key, key): content for key, content in changes.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "quick.heimdall"
    _bundle().save(path)
    return path


def test_what_is_read_is_what_was_saved(path: Path) -> None:
    read, saved = read_bundle(path), _bundle()
    assert vars(read) == vars(saved)


def test_equal_contents_make_equal_files(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.heimdall"
    _bundle().save(again)
    assert again.read_bytes() == path.read_bytes()


def test_a_changed_network_or_card_is_refused_by_its_hash(path: Path) -> None:
    for member in ("model", "card"):
        _bundle().save(path)
        with pytest.raises(InputError, match="SHA-256"):
            read_bundle(_rewritten(path, **{member: b"changed"}))


def test_another_format_version_is_refused_by_its_number(path: Path) -> None:
    manifest = _bundle().manifest() | {"format_version": 99}
    with pytest.raises(InputError, match=f"bundle format 99, this program reads {FORMAT_VERSION}"):
        read_bundle(_rewritten(path, manifest=json.dumps(manifest).encode()))


def test_channels_that_this_version_does_not_make_are_refused(path: Path) -> None:
    manifest = _bundle().manifest() | {"channels": {"maps": ["arrival"], "tokens": []}}
    with pytest.raises(InputError, match="other channels"):
        read_bundle(_rewritten(path, manifest=json.dumps(manifest).encode()))


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("grid", {"cells": 0}, "grid.cells must be at least 1"),
        ("grid", {"cells": True}, "grid.cells must be a whole number"),
        ("name", 7, "name must be text"),
        ("scores", {"hybrid_ratio": float("inf")}, "scores.hybrid_ratio must be a number"),
        ("scores", {"a\nb": "good"}, "scores.a b must be a number"),
        ("sha256", {NETWORK: "abc"}, "sha256.model.onnx must have the form"),
        ("training", [], "training must be an object"),
        ("calibration", {"scenes": -1}, "calibration: scenes must be at least 0"),
        ("radio_map", {"step_m": -1.0}, "radio_map.frame is missing"),
        ("format", "zip", "it does not describe a model bundle"),
    ],
)
def test_a_wrong_field_is_named_in_one_line(path: Path, field: str, value: object, complaint: str) -> None:
    manifest = _bundle().manifest() | {field: value}
    with pytest.raises(InputError) as caught:
        read_bundle(_rewritten(path, manifest=json.dumps(manifest).encode()))
    assert str(caught.value).startswith(f"{path}: {MANIFEST}: {complaint}")
    assert "\n" not in str(caught.value)


def test_rasters_of_a_radio_map_that_the_manifest_does_not_describe_are_refused(path: Path) -> None:
    rasters = b"\0" * 64
    manifest = _bundle().manifest()
    manifest["sha256"][RADIO_MAP] = hashlib.sha256(rasters).hexdigest()
    with pytest.raises(InputError, match="describe a radio map together"):
        read_bundle(_rewritten(path, manifest=json.dumps(manifest).encode(), **{RADIO_MAP: rasters}))


def test_an_additional_member_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="nothing else"):
        read_bundle(_rewritten(path, **{"../evil": b"x"}))


def test_a_missing_file_says_where_bundles_come_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="heimdall train"):
        read_bundle(tmp_path / "none.heimdall")


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "any.heimdall"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_bundle(path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(_bundle().manifest())), _JSON)
def test_a_manifest_with_any_one_field_wrong_is_an_input_error_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    path = tmp_path_factory.mktemp("manifest") / "odd.heimdall"
    _bundle().save(path)
    _rewritten(path, manifest=json.dumps(_bundle().manifest() | {key: value}).encode())
    with contextlib.suppress(InputError):
        assert read_bundle(path).network == b"onnx bytes"


def test_a_member_whose_compressed_bytes_are_damaged_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "packed.heimdall"
    _bundle().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content * 50 if name == CARD else content)
    content = bytearray(path.read_bytes())
    start = content.index(CARD.encode()) + len(CARD)
    content[start : start + 12] = b"\xff" * 12
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_bundle(path)
