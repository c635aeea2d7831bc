"""A Ray cluster is named in one of three ways, and a missing Ray is one line."""

from __future__ import annotations

import sys

import pytest

from heimdall.errors import InputError
from heimdall.execution.ray_cluster import OWN, load_ray, ray_address


@pytest.mark.parametrize(
    ("on", "address"),
    [
        ("ray://head:10001", "ray://head:10001"),
        ("ray:10.0.0.1:6379", "10.0.0.1:6379"),
        ("ray:[fd00::1]:6379", "[fd00::1]:6379"),
        ("ray", OWN),
    ],
)
def test_an_address_is_given_in_rays_own_spelling(on: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert ray_address(on) == address


def test_without_an_address_the_environments_cluster_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    assert ray_address("ray") == "10.0.0.7:6379"


@pytest.mark.parametrize("on", ["slurm", "ray:", "ray://", "ray:head", "ray://head:port", "ray:a b:1"])
def test_anything_else_is_refused_with_what_to_give(on: str) -> None:
    with pytest.raises(InputError, match="ray://HOST:PORT"):
        ray_address(on)


def test_a_missing_ray_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'heimdall\[scale\]'"):
        load_ray()
