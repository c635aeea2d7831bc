"""Packages: what is installed, who changed it, and the distribution's commands."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor.facts.driver import packages

HISTORY = """
Start-Date: 2025-08-01  10:00:00
Commandline: apt-get install nvidia-driver-570
Requested-By: anna (1000)
Install: nvidia-driver-570:amd64 (570.172.08-0ubuntu1), libnvidia-compute-570:amd64 (570.172.08-0ubuntu1, automatic)
End-Date: 2025-08-01  10:02:00

Start-Date: 2025-10-09  06:42:11
Commandline: /usr/bin/unattended-upgrade
Upgrade: firefox:amd64 (1, 2), libnvidia-compute-570:amd64 (570.172.08-0ubuntu1, 570.195.03-0ubuntu1)
End-Date: 2025-10-09  06:43:02
"""


def test_the_upgrade_that_brought_a_version_is_named_with_its_command(bare: Any) -> None:
    bare.write("/var/log/apt/history.log", HISTORY)
    change = packages.last_change(bare.host(), "570.195.03")
    said = "2025-10-09 06:42:11 /usr/bin/unattended-upgrade: libnvidia-compute-570 570.172.08-0ubuntu1 -> 570.195.03-0ubuntu1"
    assert str(change) == said


def test_an_installation_is_named_with_the_person(bare: Any) -> None:
    bare.write("/var/log/apt/history.log", HISTORY)
    change = packages.last_change(bare.host(), "570.172.08")
    assert change is not None
    assert "anna (1000)" in change.by
    assert str(change).endswith("nvidia-driver-570 installed 570.172.08-0ubuntu1")


def test_rotated_histories_are_read_as_well(bare: Any) -> None:
    bare.write("/var/log/apt/history.log", "\n")
    bare.write("/var/log/apt/history.log.1.gz", b"not gzip")
    bare.write("/var/log/apt/history.log.2.gz", gzip.compress(HISTORY.encode()))
    assert packages.last_change(bare.host(), "570.195.03") is not None


def test_a_version_nobody_brought_gives_none(bare: Any) -> None:
    bare.write("/var/log/apt/history.log", HISTORY)
    assert packages.last_change(bare.host(), "580.95.05") is None


def test_only_installed_packages_of_the_driver_count(bare: Any) -> None:
    bare.write(
        "/var/lib/dpkg/status",
        "Package: nvidia-driver-570\nStatus: install ok installed\nVersion: 570.195.03-0ubuntu1\n\n"
        "Package: nvidia-utils-535\nStatus: deinstall ok config-files\nVersion: 535.1-1\n\n"
        "Package: nvidia-container-toolkit\nStatus: install ok installed\nVersion: 1.17.8-1\n\n"
        "Package: firefox\nStatus: install ok installed\nVersion: 1\n",
    )
    assert packages.driver_packages(bare.host()) == {"nvidia-driver-570": "570.195.03-0ubuntu1"}


def test_pacmans_folders_name_its_packages(bare: Any) -> None:
    for name in ("nvidia-open-575.57.08-3", "nvidia-utils-575.57.08-1", "linux-6.14.9.arch1-1"):
        bare.write(f"/var/lib/pacman/local/{name}/desc")
    assert packages.driver_packages(bare.host()) == {"nvidia-open": "575.57.08", "nvidia-utils": "575.57.08"}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/var/log/pacman.log", "[2025-05-25T10:11:12+0200] [ALPM] upgraded nvidia-utils (570.144-1 -> 575.57.08-1)"),
        ("/var/log/zypp/history", "2025-05-25 10:11:12|install|nvidia-compute-G06|575.57.08-1.1|x86_64||repo|sum|"),
        (
            "/var/log/dnf.rpm.log",
            "2025-05-25T10:11:12+0200 SUBDEBUG Upgrade: nvidia-driver-libs-3:575.57.08-1.fc42.x86_64",
        ),
    ],
)
def test_the_histories_of_other_package_tools_are_read_as_well(bare: Any, path: str, line: str) -> None:
    bare.write(path, f"{line}\n")
    change = packages.last_change(bare.host(), "575.57.08")
    assert change is not None
    assert change.when.startswith("2025-05-25")


def test_a_file_has_an_owner_or_none_or_nobody_knows(bare: Any) -> None:
    path = "/usr/lib/x86_64-linux-gnu/libcuda.so.570.144"
    assert packages.owner(bare.host(), path) is None
    assert packages.owner(bare.host(), "/usr/local/lib/libcuda.so.570.144") == ""
    bare.write("/var/lib/dpkg/info/libnvidia-compute-570:amd64.list", f"/.\n{path}\n")
    assert packages.owner(bare.host(), path) == "libnvidia-compute-570"
    assert packages.owner(bare.host(), path.replace("570.144", "535.1")) == ""


@given(text=st.text())
def test_a_damaged_history_is_read_without_an_error(text: str) -> None:
    for stanza in text.split("\n\n"):
        assert packages._change_in(stanza, "570.195.03") is None or "570.195.03" in stanza
