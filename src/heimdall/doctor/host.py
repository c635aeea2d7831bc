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
            return self.at(path).read_bytes()
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
        releases = self.names("/lib/modules")
        return releases[0] if len(releases) == 1 else None

    @property
    def in_container(self) -> bool:
        if self.exists("/.dockerenv") or self.exists("/run/.containerenv"):
            return True
        if self.live and "KUBERNETES_SERVICE_HOST" in self.environment:
            return True
        groups = self.read("/proc/1/cgroup") or ""
        return bool(re.search(r"docker|kubepods|containerd|libpod|lxc", groups))

    @property
    def is_wsl(self) -> bool:
        return "microsoft" in (self.read("/proc/version") or "").lower() or self.exists("/dev/dxg")

    def processes(self) -> list[int]:
        return sorted(int(name) for name in self.names("/proc") if name.isdigit())


def _parts(path: str) -> list[str]:
    """The path's parts, last first, ready to be taken from the end. No path holds a NUL; a damaged file may."""
    return [part for part in reversed(path.replace("\0", "").split("/")) if part not in ("", ".")]
