"""Packages: what is installed, who changed it, and the distribution's commands."""

from __future__ import annotations

import gzip
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor.facts import packages

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


def test_only_installed_packages_of_the_driver_are_held(bare: Any) -> None:
    bare.write(
        "/var/lib/dpkg/status",
        "Package: nvidia-driver-570\nStatus: install ok installed\nVersion: 570.195.03-0ubuntu1\n\n"
        "Package: nvidia-utils-535\nStatus: deinstall ok config-files\nVersion: 535.1-1\n\n"
        "Package: nvidia-container-toolkit\nStatus: install ok installed\nVersion: 1.17.8-1\n\n"
        "Package: firefox\nStatus: install ok installed\nVersion: 1\n",
    )
    assert packages.hold_commands(bare.host())[-1] == "sudo apt-mark hold nvidia-driver-570"


def test_debian_and_ubuntu_install_the_driver_by_their_own_names(bare: Any) -> None:
    bare.write("/etc/os-release", "ID=debian\n")
    assert packages.install_driver_commands(bare.host())[0] == "sudo apt-get install nvidia-driver"
    bare.write("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\n")
    assert packages.install_driver_commands(bare.host(), "570")[0] == "sudo apt-get install nvidia-driver-570"


@given(text=st.text())
def test_a_damaged_history_is_read_without_an_error(text: str) -> None:
    for stanza in text.split("\n\n"):
        assert packages._change_in(stanza, "570.195.03") is None or "570.195.03" in stanza


def test_an_upgrade_keeps_the_flavour_of_the_driver(bare: Any) -> None:
    bare.write("/etc/os-release", "ID=ubuntu\n")
    bare.packages(nvidia_driver_570_server_open="570.195.03-0ubuntu1")
    assert packages.install_driver_commands(bare.host())[0] == "sudo apt-get install nvidia-driver-580-server-open"
