"""The machine as files below a root."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor.host import Host


def test_an_absolute_link_stays_below_the_root(bare: Any) -> None:
    bare.write("/opt/driver/libcuda.so.580.95.05", "the tree's own")
    bare.link("/usr/lib/libcuda.so.1", "/opt/driver/libcuda.so.580.95.05")
    host = bare.host()
    assert host.real("/usr/lib/libcuda.so.1") == "/opt/driver/libcuda.so.580.95.05"
    assert host.read("/usr/lib/libcuda.so.1") == "the tree's own"


def test_links_cannot_climb_above_the_root(bare: Any) -> None:
    (bare.root.parent / "outside").write_text("not ours")
    bare.link("/escape", "../../../../outside")
    assert bare.host().real("/escape") == "/outside"
    assert bare.host().read("/escape") is None


def test_a_link_to_itself_ends(bare: Any) -> None:
    bare.link("/loop", "loop")
    assert not bare.host().exists("/loop")


@given(path=st.text(alphabet=string.ascii_letters + "./", max_size=40))
def test_every_path_is_resolved_to_one_without_dots(path: str) -> None:
    parts = Host(Path("/nonexistent-root")).real(path).split("/")[1:]
    assert ".." not in parts
    assert "." not in parts


@pytest.mark.parametrize(
    ("path", "text", "release"),
    [
        ("/proc/sys/kernel/osrelease", "6.8.0-60-generic\n", "6.8.0-60-generic"),
        ("/proc/version", "Linux version 6.1.0-26-amd64 (debian-kernel@lists.debian.org)", "6.1.0-26-amd64"),
        ("/lib/modules/5.15.0-97-generic/modules.dep", "", "5.15.0-97-generic"),
    ],
)
def test_the_kernel_release_comes_from_the_tree(bare: Any, path: str, text: str, release: str) -> None:
    bare.write(path, text)
    assert Host(bare.root, live=False).kernel_release == release


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/.dockerenv", ""),
        ("/run/.containerenv", ""),
        ("/proc/1/cgroup", "0::/system.slice/docker-3f3f3f.scope\n"),
        ("/proc/1/cgroup", "12:cpuset:/kubepods/besteffort/pod1\n"),
    ],
)
def test_a_container_is_known_by_its_marks(bare: Any, path: str, text: str) -> None:
    assert not bare.host().in_container
    bare.write(path, text)
    assert bare.host().in_container


def test_what_cannot_be_read_is_absent_not_an_error(bare: Any) -> None:
    host = bare.host()
    assert host.read("/etc/os-release") is None
    assert host.names("/proc/driver") == []
    assert host.link("/sys/bus/pci/devices/x/driver") is None
    assert host.modified_s("/run/docker.pid") is None
