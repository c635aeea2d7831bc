"""The distribution's side of a driver: its packages, who changed them last, and the commands that would."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from heimdall.doctor.host import Host

Tool = Literal["apt", "dnf", "other"]
DRIVER_PACKAGE = re.compile(
    r"(?:lib)?nvidia-(?!container|docker|ml-py)[\w.+-]+|linux-modules-nvidia-[\w.+-]+|linux-objects-nvidia-[\w.+-]+"
    r"|xserver-xorg-video-nvidia[\w.+-]*|cuda-drivers[\w.+-]*|libcuda1|kmod-nvidia[\w.+-]*"
)
HISTORY_FILES_MAX = 12


@dataclass(frozen=True)
class Change:
    """The entry of a package history that brought the user-space libraries of a version."""

    when: str
    by: str
    package: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.when} {self.by}: {self.package} {self.old} -> {self.new}".replace(" - ->", " installed")


def package_tool(host: Host) -> Tool:
    text = host.read("/etc/os-release") or ""
    family = " ".join(re.findall(r"^ID(?:_LIKE)?=\"?([^\"\n]*)", text, re.MULTILINE))
    if re.search(r"debian|ubuntu", family) or host.exists("/var/lib/dpkg/status"):
        return "apt"
    return "dnf" if re.search(r"rhel|fedora|centos", family) else "other"


def is_ubuntu(host: Host) -> bool:
    return bool(re.search(r"^ID(_LIKE)?=.*ubuntu", host.read("/etc/os-release") or "", re.MULTILINE))


def driver_packages(host: Host) -> dict[str, str]:
    """The installed driver packages and their versions, as dpkg knows them."""
    found = {}
    for entry in (host.read("/var/lib/dpkg/status") or "").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", entry, re.MULTILINE))
        name = fields.get("Package", "")
        if DRIVER_PACKAGE.fullmatch(name) and fields.get("Status", "").endswith(" installed"):
            found[name] = fields.get("Version", "")
    return dict(sorted(found.items()))


def branch(host: Host, version: str | None) -> str:
    """The driver branch, such as "570": of the installed packages, or of the version."""
    names = " ".join(driver_packages(host))
    found = re.search(r"nvidia-(?:driver|utils|compute|dkms)-(\d{3}(?:-server)?)", names)
    return found.group(1) if found else (version or "").partition(".")[0]


def last_change(host: Host, version: str) -> Change | None:
    """Who brought this version: the newest apt history entry that did."""
    for text in _histories(host):
        for stanza in reversed(re.split(r"\n\s*\n", text)):
            change = _change_in(stanza, version)
            if change:
                return change
    return None


def _histories(host: Host) -> Iterator[str]:
    yield host.read("/var/log/apt/history.log") or ""
    for number in range(1, HISTORY_FILES_MAX + 1):
        raw = host.read_bytes(f"/var/log/apt/history.log.{number}.gz")
        try:
            yield gzip.decompress(raw).decode("utf-8", "replace") if raw else ""
        except (OSError, EOFError):
            continue


def _change_in(stanza: str, version: str) -> Change | None:
    fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", stanza, re.MULTILINE))
    for kind in ("Upgrade", "Install", "Reinstall", "Downgrade"):
        for name, versions in re.findall(r"([\w.+-]+):\w+ \(([^)]*)\)", fields.get(kind, "")):
            old, _, new = versions.rpartition(", ")
            old, new = (old, new) if kind in ("Upgrade", "Downgrade") else ("-", versions.split(",")[0])
            if DRIVER_PACKAGE.fullmatch(name) and version in new:
                who = fields.get("Requested-By", "")
                by = " ".join(part for part in (fields.get("Commandline", "apt"), f"({who})" if who else "") if part)
                return Change(re.sub(r"\s+", " ", fields.get("Start-Date", "?")), by, name, old, new)
    return None


def hold_commands(host: Host) -> tuple[str, ...]:
    """Keep unattended upgrades from changing the driver under a running kernel module."""
    remark = "# so that it does not come back: take the driver out of unattended upgrades"
    tool = package_tool(host)
    if tool == "apt":
        names = " ".join(driver_packages(host)) or "'nvidia-*' 'libnvidia-*'"
        return (remark, f"sudo apt-mark hold {names}")
    if tool == "dnf":
        return (remark, "sudo dnf versionlock add 'nvidia-*' 'kmod-nvidia*'")
    return ()


def headers_command(host: Host, release: str) -> str:
    if package_tool(host) == "dnf":
        return f"sudo dnf install kernel-devel-{release}"
    return f"sudo apt-get install linux-headers-{release}"


def install_driver_commands(host: Host, wanted_branch: str = "580") -> tuple[str, ...]:
    if package_tool(host) == "dnf":
        return ("sudo dnf install nvidia-driver nvidia-driver-cuda", "sudo reboot")
    if is_ubuntu(host):
        # The flavour stays: the newest cards run with the open module only.
        flavour = re.search(r"nvidia-driver-\d+((?:-server)?(?:-open)?)", " ".join(driver_packages(host)))
        name = f"nvidia-driver-{wanted_branch}{flavour.group(1) if flavour else ''}"
        return (f"sudo apt-get install {name}", "sudo reboot")
    return ("sudo apt-get install nvidia-driver", "sudo reboot")


def align_commands(host: Host, release: str, version: str) -> tuple[str, ...]:
    """Bring the module on disk to the version of the libraries."""
    if package_tool(host) == "dnf":
        return ("sudo dnf distro-sync 'nvidia-*' 'kmod-nvidia*'",)
    names = driver_packages(host)
    prebuilt = re.search(r"linux-(?:modules|objects)-nvidia-(\d+(?:-server)?(?:-open)?)", " ".join(names))
    if prebuilt:
        return ("sudo apt-get update", f"sudo apt-get install linux-modules-nvidia-{prebuilt.group(1)}-{release}")
    dkms = next((name for name in names if "dkms" in name), f"nvidia-dkms-{branch(host, version)}")
    return ("sudo apt-get update", f"sudo apt-get install --reinstall {dkms}")
