"""The machine that is examined: its files below a root, its programs through a runner, both replaceable."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heimdall.doctor.program import Run, run_program

LINKS_MAX = 40


@dataclass(frozen=True)
class Space:
    """A file system's size and what is free of it for us, in bytes."""

    total_bytes: int
    free_bytes: int


def measure_space(path: Path) -> Space | None:
    try:
        answer = os.statvfs(path)
    except OSError:
        return None
    return Space(answer.f_blocks * answer.f_frsize, answer.f_bavail * answer.f_frsize)


def open_error(path: Path) -> int | None:
    """The errno with which a device refuses to be opened; None where it opens."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.errno
    return None


@dataclass(frozen=True)
class Host:
    """`live` says that the root is this machine's own, so that its libraries and its torch may be asked as well."""

    root: Path = Path("/")
    run: Run = run_program
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    live: bool = True
    project: Path | None = None
    open_error: Callable[[Path], int | None] = open_error
    space: Callable[[Path], Space | None] = measure_space

    def real(self, path: str) -> str:
        """The path below the root with every link followed; an absolute link stays below the root."""
        pending = _parts(path)
        done: list[str] = []
        for _ in range(LINKS_MAX * 10):
            if not pending:
                break
            part = pending.pop()
            if part == "..":
                done = done[:-1]
                continue
            try:
                target = os.readlink(self.root.joinpath(*done, part))
            except OSError:
                done.append(part)
                continue
            done = [] if target.startswith("/") else done
            pending += _parts(target)
        # What is left of a loop of links is not followed any further, and does not exist.
        return "/" + "/".join([*done, *reversed(pending)])

    def at(self, path: str) -> Path:
        return self.root / self.real(path).lstrip("/")

    def exists(self, path: str) -> bool:
        with contextlib.suppress(OSError):
            return self.at(path).exists()
        return False

    def read_bytes(self, path: str) -> bytes | None:
        try:
            # A tree may hold anything: reading a pipe or a device would wait for ever.
            place = self.at(path)
            return place.read_bytes() if place.is_file() else None
        except OSError:
            return None

    def read(self, path: str) -> str | None:
        raw = self.read_bytes(path)
        return None if raw is None else raw.decode("utf-8", "replace")

    def names(self, path: str) -> list[str]:
        """What a folder holds, sorted; empty where it cannot be read."""
        try:
            return sorted(os.listdir(self.at(path)))
        except OSError:
            return []

    def link(self, path: str) -> str | None:
        """The last part of a link's target, without following it: how sysfs names a device's driver."""
        try:
            return os.path.basename(os.readlink(self.at(os.path.dirname(path)) / os.path.basename(path)))
        except OSError:
            return None

    def modified_s(self, path: str) -> float | None:
        try:
            return self.at(path).stat().st_mtime
        except OSError:
            return None

    def mode(self, path: str) -> int | None:
        """The permission bits of a file."""
        try:
            return self.at(path).stat().st_mode & 0o7777
        except OSError:
            return None

    def changed_s(self, path: str) -> float | None:
        """When a file came to its place: packages keep the time at which it was built as its own, but not this one.

        A copied tree has the time of the copy there, so that only the file's own is left.
        """
        try:
            status = self.at(path).stat()
        except OSError:
            return None
        return status.st_ctime if self.live else status.st_mtime

    def find_program(self, name: str, folders: tuple[str, ...] = ()) -> str | None:
        usual = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
        places = (f"{folder}/{name}" for folder in folders + usual)
        return next((place for place in places if self.exists(place)), None)

    @property
    def kernel_release(self) -> str | None:
        """What `uname -r` says; from /proc, so that a copied tree can answer."""
        release = (self.read("/proc/sys/kernel/osrelease") or "").strip()
        if release:
            return release
        found = re.match(r"Linux version (\S+)", self.read("/proc/version") or "")
        if found:
            return found.group(1)
        if self.live:
            return os.uname().release
        releases = [name for name in self.names("/lib/modules") if name[:1].isdigit()]
        return releases[0] if len(releases) == 1 else None

    @property
    def in_container(self) -> bool:
        return self.container is not None

    @property
    def container(self) -> str | None:
        """The kind of container this is, such as "docker" or "lxc"; None on a host. cgroup v2 says nothing inside."""
        if self.in_pod:
            return "kubernetes"
        if self.exists("/.dockerenv"):
            return "docker"
        if self.exists("/run/.containerenv"):
            return "podman"
        return self._told_by_systemd() or self._told_by_groups()

    @property
    def in_pod(self) -> bool:
        """Kubernetes tells every container where its API is; a token it gives to most, and the groups show it by cgroup v1."""
        told = {entry.partition("=")[0] for entry in (self.read("/proc/1/environ") or "").split("\0")}
        told |= set(self.environment) if self.live else set()
        return (
            "KUBERNETES_SERVICE_HOST" in told
            or self.exists("/var/run/secrets/kubernetes.io/serviceaccount")
            or self.exists("/run/secrets/kubernetes.io/serviceaccount")
            or bool(re.search(r"[:/]kubepods\b", self.read("/proc/1/cgroup") or ""))
        )

    def _told_by_systemd(self) -> str | None:
        """What systemd and the container managers tell process 1; "wsl" is no container here."""
        told = (self.read("/run/systemd/container") or "").strip()
        found = re.search(r"(?:^|\0)container=([^\0]+)", self.read("/proc/1/environ") or "")
        kind = told or (found.group(1) if found else "")
        return None if kind in ("", "wsl") else kind

    def _told_by_groups(self) -> str | None:
        groups = self.read("/proc/1/cgroup") or ""
        found = re.search(r"[:/](docker|containerd|libpod|lxc)\b", groups)
        return found.group(1) if found else None

    @property
    def is_wsl(self) -> bool:
        return "microsoft" in self._kernel_says or self.exists("/dev/dxg")

    @property
    def is_wsl_1(self) -> bool:
        """The first WSL has no kernel of its own, and no GPU."""
        return "microsoft" in self._kernel_says and not re.search(r"wsl2|microsoft-standard", self._kernel_says)

    @property
    def _kernel_says(self) -> str:
        release = self.read("/proc/sys/kernel/osrelease") or ""
        return f"{self.read('/proc/version') or ''} {release}".lower()

    @property
    def shows_hardware(self) -> bool:
        """Whether the tree holds the kernel's own folders at all; a disk mounted alone does not."""
        return any(
            self.exists(path) for path in ("/sys/bus/pci/devices", "/sys/module", "/proc/driver/nvidia", "/proc/1")
        )

    def processes(self) -> list[int]:
        return sorted(int(name) for name in self.names("/proc") if name.isdigit())


def _parts(path: str) -> list[str]:
    """The path's parts, last first, ready to be taken from the end. No path holds a NUL; a damaged file may."""
    return [part for part in reversed(path.replace("\0", "").split("/")) if part not in ("", ".")]
