"""The distribution's side of a driver: its packages, who changed them last, and whose a file is."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass

from heimdall.doctor.host import Host

DRIVER_PACKAGE = re.compile(
    r"(?:lib)?nvidia-(?!container|docker|ml-py)[\w.+-]+|linux-modules-nvidia-[\w.+-]+|linux-objects-nvidia-[\w.+-]+"
    r"|xserver-xorg-video-nvidia[\w.+-]*|cuda-drivers[\w.+-]*|libcuda1|kmod-nvidia[\w.+-]*"
)
# Those that bring the driver's libraries; CUDA's toolkit and the settings panel go with any driver.
LIBRARY_PACKAGE = re.compile(
    r"libnvidia-(?:compute|ml|gl|cfg)|libcuda1|nvidia-(?:utils|compute-utils|driver|headless|libs|smi)\b"
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


def driver_packages(host: Host) -> dict[str, str]:
    """The installed driver packages and their versions, as dpkg or pacman knows them."""
    found = {name: version for name, status, version in _dpkg(host) if status.endswith(" installed")}
    return dict(sorted({**found, **_pacman_packages(host)}.items()))


def _dpkg(host: Host) -> Iterator[tuple[str, str, str]]:
    """The driver packages that dpkg knows: name, status, such as "hold ok installed", and version."""
    for entry in (host.read("/var/lib/dpkg/status") or "").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", entry, re.MULTILINE))
        if DRIVER_PACKAGE.fullmatch(fields.get("Package", "")):
            yield fields["Package"], fields.get("Status", ""), fields.get("Version", "")


def _pacman_packages(host: Host) -> dict[str, str]:
    """The folders of pacman's database are named after package, version and release."""
    names = (
        re.fullmatch(r"(nvidia(?:-[a-z0-9]+)*?|linux[\w-]*-nvidia)-([\d.]+)-(\d+)", name) for name in host.names(PACMAN)
    )
    return {found.group(1): found.group(2) for found in names if found}


def held(host: Host) -> tuple[str, ...]:
    """Installed driver packages that apt was told to keep as they are (apt-mark hold)."""
    return tuple(name for name, status, _ in _dpkg(host) if status.startswith("hold "))


# Where the other package tools are told to keep packages as they are, and the line that does it.
LOCKS = (
    ("/etc/pacman.conf", r"^\s*Ignore(?:Pkg|Group)\s*=[^\n#]*nvidia"),
    ("/etc/dnf/plugins/versionlock.list", r"^[^\n#]*nvidia"),
    ("/etc/yum/pluginconf.d/versionlock.list", r"^[^\n#]*nvidia"),
    ("/etc/dnf/versionlock.toml", r"^\s*name\s*=[^\n#]*nvidia"),
    ("/etc/zypp/locks", r"^solvable_name:[^\n]*nvidia"),
)


def lock_file(host: Host) -> str | None:
    """The file that keeps packages of the driver back, of another tool than apt."""
    return next((path for path, line in LOCKS if re.search(line, host.read(path) or "", re.MULTILINE)), None)


PACMAN = "/var/lib/pacman/local"
DPKG_LISTS = "/var/lib/dpkg/info"


def owner(host: Host, path: str) -> str | None:
    """The package a file belongs to, "" where none has it, None where that cannot be known from the files here."""
    lists = [name for name in host.names(DPKG_LISTS) if name.endswith(".list")]
    aliases = {path, path.removeprefix("/usr") if path.startswith("/usr/lib") else f"/usr{path}"}
    for name in lists:
        if aliases & set((host.read(f"{DPKG_LISTS}/{name}") or "").splitlines()):
            return name.removesuffix(".list").partition(":")[0]
    return "" if lists or path.startswith("/usr/local/") else None


def installed_s(host: Host) -> float | None:
    """When a package of the driver was last unpacked, by the lists that dpkg writes then; seconds since the epoch."""
    names = [name for name in host.names(DPKG_LISTS) if name.endswith(".list") and DRIVER_PACKAGE.match(name)]
    known = [stamp for name in names for stamp in [host.modified_s(f"{DPKG_LISTS}/{name}")] if stamp is not None]
    return max(known) if known else None


def branch(host: Host, version: str | None) -> str:
    """The driver branch, such as "570": of the installed packages, or of the version.

    Packages of a branch that was left behind can stand beside those of this one: the version decides.
    """
    told = (version or "").partition(".")[0]
    found = re.findall(r"nvidia-(?:driver|utils|compute|dkms)-(\d{3}(?:-server)?)", " ".join(driver_packages(host)))
    fitting = [name for name in found if not told or name.partition("-")[0] == told]
    return (fitting or [told] if told else found or [told])[0]


def interrupted(host: Host) -> tuple[str, ...]:
    """Driver packages that dpkg has unpacked and not yet set up, as after a build that failed or an upgrade that was cut off."""
    unfinished = re.compile(r" (?:unpacked|half-configured|half-installed|triggers-\w+)$")
    return tuple(name for name, status, _ in _dpkg(host) if unfinished.search(status))


def last_change(host: Host, version: str) -> Change | None:
    """Who brought this version: the newest entry of apt's, pacman's, zypper's or dnf's history that did."""
    for text in _histories(host):
        for stanza in reversed(re.split(r"\n\s*\n", text)):
            change = _change_in(stanza, version)
            if change:
                return change
    return next(_in_lines(host, version), None)


# One line a change: the time, what was done, the package, its version. By dnf the version is part of the name.
LINES = (
    (
        "/var/log/pacman.log",
        "pacman",
        r"^\[([^\]]+)\] \[ALPM\] (?:upgraded|installed) (\S+) \((?:(\S+) -> )?([^)\s]+)\)",
    ),
    ("/var/log/zypp/history", "zypper", r"^([\d: -]+)\|install\|([^|]+)\|()([^|]+)\|"),
    ("/var/log/dnf.rpm.log", "dnf", r"^(\S+) \S+ (?:Upgrade|Installed|Upgraded): (\S*?nvidia\S*?)-()(\d\S*)"),
)


def _in_lines(host: Host, version: str) -> Iterator[Change]:
    for path, tool, pattern in LINES:
        for when, package, old, new in reversed(re.findall(pattern, host.read(path) or "", re.MULTILINE)):
            if version in new and "nvidia" in package:
                yield Change(when, tool, package, old or "-", new)


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
