"""Which distribution this is, and where its driver came from: what commands exist here follows from both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from heimdall.doctor.host import Host

Family = Literal["ubuntu", "debian", "fedora", "rhel", "suse", "arch", "nixos", "gentoo", "alpine", "void", "other"]
Origin = Literal["runfile", "akmods", "prebuilt", "dkms", "packages", "none"]
# In this order: Ubuntu's relatives name debian as well, RHEL's name fedora.
FAMILIES: tuple[tuple[Family, frozenset[str]], ...] = (
    ("nixos", frozenset({"nixos"})),
    ("ubuntu", frozenset({"ubuntu", "linuxmint", "pop", "neon", "elementary", "zorin"})),
    ("debian", frozenset({"debian", "raspbian", "proxmox"})),
    ("rhel", frozenset({"rhel", "centos", "rocky", "almalinux", "ol", "amzn", "scientific"})),
    ("fedora", frozenset({"fedora"})),
    (
        "suse",
        frozenset({"suse", "opensuse", "sles", "sled", "opensuse-tumbleweed", "opensuse-leap", "opensuse-microos"}),
    ),
    ("arch", frozenset({"arch", "archlinux", "manjaro", "endeavouros"})),
    ("gentoo", frozenset({"gentoo"})),
    ("alpine", frozenset({"alpine"})),
    ("void", frozenset({"void"})),
)
# What tells the family where /etc/os-release is missing, as in a tree that was copied in part.
MARKS: tuple[tuple[str, Family], ...] = (
    ("/var/lib/dpkg/status", "debian"),
    ("/var/lib/pacman/local", "arch"),
    ("/etc/zypp", "suse"),
    ("/etc/fedora-release", "fedora"),
    ("/etc/redhat-release", "rhel"),
    ("/nix/store", "nixos"),
)


@dataclass(frozen=True)
class Distribution:
    """`image_based` is a system whose /usr is read-only and changed as a whole: rpm-ostree or transactional-update."""

    family: Family
    version: str = ""
    image_based: bool = False
    name: str = ""

    @property
    def has_apt(self) -> bool:
        return self.family in ("ubuntu", "debian")

    @property
    def has_dnf(self) -> bool:
        return self.family in ("fedora", "rhel")

    @property
    def rpm_tool(self) -> str:
        """Before RHEL 8, and on the second Amazon Linux, there is no dnf."""
        return "yum" if self.family == "rhel" and 0 < self.major < 8 else "dnf"

    @property
    def major(self) -> int:
        found = re.match(r"\d+", self.version)
        return int(found.group()) if found else 0


def distribution(host: Host) -> Distribution:
    text = host.read("/etc/os-release") or host.read("/usr/lib/os-release") or ""
    fields = {key: value.strip("\"'") for key, value in re.findall(r"^(\w+)=(.*?)\s*$", text, re.MULTILINE)}
    image_based = host.exists("/run/ostree-booted") or host.exists("/ostree") or _is_transactional(host)
    return Distribution(_family(host, fields), fields.get("VERSION_ID", ""), image_based, fields.get("ID", ""))


def _is_transactional(host: Host) -> bool:
    return host.find_program("transactional-update") is not None


def _family(host: Host, fields: dict[str, str]) -> Family:
    relatives = fields.get("ID_LIKE", "").split()
    # Mint's edition for Debian has Debian's packages under the name of the one for Ubuntu.
    if relatives == ["debian"] and fields.get("ID") == "linuxmint":
        return "debian"
    # Rebuilds of Fedora name RHEL as a relative, too; the platform is what their packages are built for.
    if fields.get("PLATFORM_ID", "").startswith("platform:f"):
        return "fedora"
    # An own name counts before the relatives: Rocky's says "rhel centos fedora".
    for names in ([fields.get("ID", "")], fields.get("ID_LIKE", "").split()):
        for family, known in FAMILIES:
            if known & {name.lower() for name in names}:
                return family
    return next((family for path, family in MARKS if host.exists(path)), "other")


def is_proxmox(host: Host) -> bool:
    return "-pve" in (host.kernel_release or "") or host.exists("/etc/pve")


def has_systemd(host: Host) -> bool:
    """WSL starts systemd only where wsl.conf says so; elsewhere it is the rule, and Alpine's, Void's and Gentoo's exception."""
    if host.exists("/run/systemd/system"):
        return True
    if host.is_wsl:
        return bool(
            re.search(r"^\s*systemd\s*=\s*true", host.read("/etc/wsl.conf") or "", re.MULTILINE | re.IGNORECASE)
        )
    first = (host.read("/proc/1/comm") or "").strip()
    if distribution(host).family in ("alpine", "void") or (first == "init" and not host.in_container):
        return False
    return not (host.exists("/run/openrc") or host.exists("/etc/runit"))


def is_runfile(host: Host) -> bool:
    """NVIDIA's own installer leaves its uninstaller beside the programs; packages do not bring it."""
    return host.find_program("nvidia-uninstall") is not None or host.exists("/usr/bin/nvidia-installer")


def has_repository(host: Host, pattern: str) -> bool:
    """Whether a package source whose file name matches is set up (dnf, zypper, apt)."""
    folders = ("/etc/yum.repos.d", "/etc/zypp/repos.d", "/etc/apt/sources.list.d")
    return any(re.search(pattern, name) for folder in folders for name in host.names(folder))
