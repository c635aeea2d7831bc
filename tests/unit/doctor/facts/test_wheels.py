"""Torch as installed, against driver and card."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor import torch_release_for
from heimdall.doctor.facts import cards, wheels
from heimdall.doctor.facts.wheels import Wheel, has_code_for
from heimdall.doctor.host import Host

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize(
    ("driver", "release"),
    [
        (None, "2.14.1"),
        ("525.60.13", "2.10.0"),
        ("535.183.01", "2.10.0"),
        ("570.195.03", "2.10.0"),
        ("579.99", "2.10.0"),
        ("580.65.06", "2.14.1"),
        ("590.48.01", "2.14.1"),
        ("470.256.02", "2.14.1"),
        ("not a version", "2.14.1"),
    ],
)
def test_the_release_is_the_newest_the_driver_can_run(driver: str | None, release: str) -> None:
    assert torch_release_for(driver) == release


def test_a_card_from_before_turing_keeps_the_older_wheel_on_a_new_driver() -> None:
    assert torch_release_for("580.95.05", (7, 0)) == "2.10.0"
    assert torch_release_for("580.95.05", (7, 5)) == "2.14.1"


@given(st.text())
def test_any_driver_version_gives_a_release_that_is_known(driver: str) -> None:
    assert torch_release_for(driver) in wheels.TORCHVISION


def test_the_current_release_is_the_one_the_images_pin() -> None:
    pinned = re.search(r"^torch==(\S+)", (REPOSITORY / "constraints-torch.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert pinned[1] == wheels.CURRENT_TORCH


@pytest.mark.parametrize(
    ("cuda", "driver"), [((12, 8), 525), ((13, 0), 580), ((13, 2), 580), ((11, 8), 450), (None, None)]
)
def test_a_wheel_needs_the_driver_of_its_major_cuda_release(cuda: tuple[int, ...] | None, driver: int | None) -> None:
    assert Wheel("x", cuda, "here").oldest_driver == driver


@pytest.mark.parametrize(
    ("architectures", "capability", "runs"),
    [
        ("sm_75 sm_80 sm_86", (8, 6), True),
        ("sm_75 sm_80 sm_86", (8, 9), True),
        ("sm_75 sm_80 sm_86", (9, 0), False),
        ("sm_75 sm_80 sm_86", (7, 0), False),
        ("sm_86", (8, 0), False),
        ("sm_75 compute_90", (12, 0), True),
        ("sm_90a", (9, 0), True),
        ("sm_90a", (9, 1), False),
        ("sm_100 sm_120", (12, 0), True),
    ],
)
def test_code_runs_on_the_same_major_capability_and_ptx_on_any_later_one(
    architectures: str, capability: tuple[int, int], runs: bool
) -> None:
    assert has_code_for(Wheel("x", (13, 0), "here"), capability, tuple(architectures.split())) is runs


def test_without_a_list_cuda_13_begins_at_7_5_and_cuda_12_does_not_tell() -> None:
    assert has_code_for(Wheel("x", (13, 0), "here"), (7, 0)) is False
    assert has_code_for(Wheel("x", (13, 0), "here"), (7, 5)) is True
    assert has_code_for(Wheel("x", (12, 8), "here"), (7, 0)) is None


def test_a_copied_tree_shows_its_own_torch_and_its_architectures(bare: Any) -> None:
    bare.torch("2.10.0+cu128", "12.8", "sm_70 sm_75 sm_80 compute_120")
    wheel = wheels.installed_torch(Host(bare.root, bare.run, live=False))
    assert wheel is not None
    assert (wheel.version, wheel.cuda) == ("2.10.0+cu128", (12, 8))
    assert wheels.architectures(wheel) == ("sm_70", "sm_75", "sm_80", "compute_120")


def test_the_installed_torch_is_read_without_importing_it() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    wheel = wheels.installed_torch(Host())
    assert wheel is not None
    assert wheel.version == torch.__version__
    assert list(wheels.architectures(wheel)) == (torch.cuda.get_arch_list() if torch.version.cuda else [])


@pytest.mark.parametrize("content", [b"", b"no list in here", b"\0sm_\0"])
def test_a_library_without_a_list_has_none(tmp_path: Path, content: bytes) -> None:
    wheel = Wheel("x", (13, 0), "here", tmp_path)
    assert wheels.architectures(wheel) == ()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libtorch_python.so").write_bytes(content)
    assert wheels.architectures(wheel) == ()


@pytest.mark.parametrize(
    ("text", "cuda"),
    [
        ("__version__ = '2.14.1+cu130'\ncuda: Optional[str] = '13.0'\n", (13, 0)),
        ("__version__ = '2.14.1+cpu'\ncuda: Optional[str] = None\n", None),
        ("__version__ = '2.0.1'\ncuda = '11.7'\n", (11, 7)),
    ],
)
def test_the_version_file_tells_cuda(text: str, cuda: tuple[int, ...] | None) -> None:
    wheel = wheels.parse_wheel(text, "here")
    assert wheel is not None
    assert wheel.cuda == cuda


@given(st.text())
def test_any_version_file_is_read_without_an_error(text: str) -> None:
    wheel = wheels.parse_wheel(text, "here")
    assert wheel is None or wheel.version


@pytest.mark.parametrize(
    ("driver", "cuda"), [("570.195.03", "12.8"), ("525.1", "12.0"), ("580.1", None), ("470.1", None)]
)
def test_the_cuda_release_of_a_driver_is_named_where_it_is_known(driver: str, cuda: str | None) -> None:
    assert wheels.cuda_of_driver(driver) == cuda


@pytest.mark.parametrize(
    ("branch", "capability", "index"),
    [
        (580, (12, 0), "cu130"),
        (570, (12, 0), "cu128"),
        (550, (12, 0), None),
        (580, (6, 1), "cu126"),
        (590, (6, 1), None),
        (580, (7, 0), "cu128"),
        (470, (3, 7), None),
        (580, (3, 5), None),
        (570, (8, 6), "cu128"),
        (470, (8, 6), None),
    ],
)
def test_a_build_fits_the_driver_and_the_card_or_there_is_none(
    branch: int, capability: tuple[int, int], index: str | None
) -> None:
    build = wheels.build_for(branch, capability)
    assert (build.index if build else None) == index


@pytest.mark.parametrize(
    ("cuda", "capability", "runs"),
    [
        ((12, 6), (12, 0), False),
        ((11, 8), (12, 0), False),
        ((12, 8), (6, 1), False),
        ((13, 0), (6, 1), False),
        ((12, 6), (6, 1), None),
        ((13, 0), (8, 6), True),
    ],
)
def test_a_wheel_without_its_list_is_judged_by_its_cuda(
    cuda: tuple[int, int], capability: tuple[int, int], runs: bool | None
) -> None:
    assert wheels.has_code_for(wheels.Wheel("2.10.0", cuda, "here"), capability) is runs


@pytest.mark.parametrize(
    ("device", "name", "capability"),
    [
        (0x2204, "Ampere", (8, 6)),
        (0x20B0, "Ampere", (8, 0)),
        (0x1B82, "Pascal", (6, 1)),
        (0x1DB5, "Volta", (7, 0)),
        (0x128B, "Kepler", (3, 5)),
        (0x102D, "Kepler", (3, 5)),
        (0x13C2, "Maxwell", (5, 2)),
        (0x2184, "Turing", (7, 5)),
        (0x2684, "Ada", (8, 9)),
        (0x2330, "Hopper", (9, 0)),
        (0x2B85, "Blackwell", (12, 0)),
        (0x2901, "Blackwell", (10, 0)),
    ],
)
def test_a_card_is_known_by_its_number_on_the_bus(device: int, name: str, capability: tuple[int, int]) -> None:
    found = cards.generation(device)
    assert found is not None
    assert (found.name, found.capability) == (name, capability)


def test_the_blocks_of_numbers_do_not_overlap_and_a_newer_number_is_not_guessed() -> None:
    ends = [(first, last) for first, last, _ in cards.BLOCKS]
    assert all(last < following for (_, last), (following, _) in pairwise(ends))
    assert cards.generation(0x3FFF) is None
