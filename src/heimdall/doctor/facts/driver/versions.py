"""The three versions that must agree: the loaded kernel module, the user-space libraries, the module on disk."""

from __future__ import annotations

import gzip
import importlib
import lzma
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from heimdall.doctor.host import Host

try:
    zstd: Any = importlib.import_module("compression.zstd")  # Python 3.14 and newer
except ImportError:
    zstd = None
UNPACKED_ERROR: type[Exception] = zstd.ZstdError if zstd else OSError

LIBRARIES = ("libnvidia-ml.so", "libcuda.so")
LIBRARY_FOLDERS = (
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/run/opengl-driver/lib",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/lib",
    "/usr/local/lib",
    "/usr/lib64/nvidia",
    "/usr/lib/nvidia",
    # Flatcar, Google's Container-Optimized OS, and the driver container of NVIDIA's GPU operator.
    "/opt/nvidia/lib64",
    "/home/kubernetes/bin/nvidia/lib64",
    "/run/nvidia/driver/usr/lib/x86_64-linux-gnu",
    "/run/nvidia/driver/usr/lib64",
)
# Best first: the order in which depmod lets a module of the same name win.
MODULE_FOLDERS = ("updates", "extra", "weak-updates", "kernel", "")
# Debian's names say which of its drivers it is, and end in -open for the open module; the helpers (-drm, -uvm) are left out.
MODULE_FILE = re.compile(r"nvidia(?!\S*-(?:drm|modeset|uvm|peermem)\b)(-(?:current|tesla|legacy)[\w-]*)?\.ko(\.\w+)?")
VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")
OLDEST_DRIVER = 100


@dataclass(frozen=True)
class Copy:
    """One copy of a driver library that the loader can find."""

    path: str
    version: str


@dataclass(frozen=True)
class ModuleFile:
    """`version` is None where the file is there and cannot be read (packed with zstd): not known, not missing."""

    path: str
    version: str | None


def loaded_version(host: Host) -> str | None:
    """Version of the nvidia kernel module in memory, whether proprietary or open."""
    text = host.read("/proc/driver/nvidia/version") or ""
    found = re.search(r"Kernel Module(?: for \S+)?\s+(\d+\.\d+(?:\.\d+)*)", text)
    if found:
        return found.group(1)
    return (host.read("/sys/module/nvidia/version") or "").strip() or None


def is_open_loaded(host: Host) -> bool | None:
    """Whether the module in memory is the open one; None where nothing tells."""
    text = host.read("/proc/driver/nvidia/version") or ""
    return "Open Kernel Module" in text if "Kernel Module" in text else None


def is_loaded(host: Host) -> bool:
    return host.exists("/proc/driver/nvidia/version") or host.exists("/sys/module/nvidia")


def library_copies(host: Host) -> tuple[Copy, ...]:
    """Every copy of NVML and of the CUDA driver library, in the loader's order as far as it can be told.

    Left out: forward-compatibility packages, WSL's own libraries, and libraries for 32-bit programs.
    """
    copies: dict[str, Copy] = {}
    for folder in _library_folders(host):
        for copy in _copies_in(host, folder):
            copies.setdefault(host.real(copy.path), copy)
    return tuple(copies.values())


def _library_folders(host: Host) -> list[str]:
    folders = [folder for folder in host.environment.get("LD_LIBRARY_PATH", "").split(":") if folder.startswith("/")]
    for name in host.names("/etc/ld.so.conf.d"):
        lines = (host.read(f"/etc/ld.so.conf.d/{name}") or "").splitlines()
        folders += [line.strip() for line in lines if line.strip().startswith("/")]
    folders += LIBRARY_FOLDERS
    return [folder for folder in dict.fromkeys(folders) if not re.search(r"/compat\b|i386|/wsl/|lib32", folder)]


def _copies_in(host: Host, folder: str) -> Iterator[Copy]:
    names = host.names(folder)
    for library in LIBRARIES:
        versioned = [name for name in names if re.fullmatch(re.escape(library) + r"\.\d+\.\d+[\d.]*", name)]
        if f"{library}.1" in names:
            # What the loader opens is the link; a versioned file that no link names is a harmless leftover.
            target = os.path.basename(host.real(f"{folder}/{library}.1"))
            versioned = [target] if VERSION.search(target.partition(".so.")[2]) else versioned
        # Below /tegra the file is libcuda.so.1.1 on every release: a name, no version.
        versioned = [name for name in versioned if as_numbers(name.partition(".so.")[2])[0] >= OLDEST_DRIVER]
        for name in versioned:
            yield Copy(f"{folder.rstrip('/')}/{name}", name.partition(".so.")[2])


def module_on_disk(host: Host, release: str | None, bases: tuple[str, ...] = ()) -> ModuleFile | None:
    """The nvidia module that modprobe would take for this kernel; None where there is none."""
    found = modules_on_disk(host, release, bases)
    if found or not release:
        return found[0] if found else None
    built = _dkms_version(host, release)
    return ModuleFile(f"/var/lib/dkms/nvidia/{built}", built) if built else None


def modules_on_disk(host: Host, release: str | None, bases: tuple[str, ...] = ()) -> tuple[ModuleFile, ...]:
    """Every nvidia module of a kernel, best first: a second one can win after the next depmod."""
    paths: dict[str, str] = {}
    for base in bases or (f"/lib/modules/{release}",):
        for folder in MODULE_FOLDERS if release else ():
            for path in _module_files(host, f"{base}/{folder}".rstrip("/")):
                paths.setdefault(host.real(path), path)
    return tuple(ModuleFile(path, _version_of(host, path, release or "")) for path in paths.values())


def _version_of(host: Host, path: str, release: str) -> str | None:
    told = _module_version(host, path)
    if told:
        return told
    # What DKMS built stands where DKMS puts it: below updates on Debian and Ubuntu, below extra on Fedora and RHEL.
    by_dkms = "/updates/" in path or "/extra/" in path
    return _dkms_version(host, release) if by_dkms else _told_by_package(host, release, path)


def _told_by_package(host: Host, release: str, path: str) -> str | None:
    """Ubuntu packs its prebuilt modules; their package depends on the driver's exact version. The folder names the branch."""
    folder = re.search(r"/nvidia-(\d{3}[a-z-]*)/", path)
    branch = re.escape(folder.group(1)) if folder else r"\S*"
    for entry in (host.read("/var/lib/dpkg/status") or "").split("\n\n"):
        if re.search(
            rf"^Package: linux-(?:modules|objects)-nvidia-{branch}-{re.escape(release)}$", entry, re.MULTILINE
        ):
            found = re.search(r"nvidia-kernel-common-\S+ \((?:>=|=|<=) (\d+\.\d+(?:\.\d+)*)", entry)
            return found.group(1) if found else None
    return None


def _module_files(host: Host, folder: str) -> list[str]:
    top = host.at(folder)
    found = []
    for path, folders, names in os.walk(top):
        folders.sort()
        inside = folder + path[len(str(top)) :]
        found += [f"{inside}/{name}" for name in sorted(names) if MODULE_FILE.fullmatch(name)]
    return found


def _module_version(host: Host, path: str) -> str | None:
    answer = host.run(["modinfo", "-F", "version", str(host.at(path))], 5.0)
    if answer.code == 0 and VERSION.fullmatch(answer.stdout.strip()):
        return answer.stdout.strip()
    raw = unpacked(host.read_bytes(path) or b"", path)
    found = re.search(rb"(?:^|\0)version=(\d+\.\d+[\d.]*)\0", raw)
    return found.group(1).decode() if found else None


def unpacked(raw: bytes, path: str) -> bytes:
    """A module file's content; empty where only a program could unpack it (zstd, before Python 3.14)."""
    try:
        if path.endswith(".zst"):
            return bytes(zstd.decompress(raw)) if zstd else b""
        if path.endswith(".xz"):
            return lzma.decompress(raw)
        if path.endswith(".gz"):
            return gzip.decompress(raw)
    except (EOFError, ValueError, lzma.LZMAError, OSError, UNPACKED_ERROR):
        return b""
    return raw


def _dkms_version(host: Host, release: str) -> str | None:
    """The version DKMS has built for this kernel; it keeps a folder for each."""
    built = dkms_build(host, release)
    return built.version if built else None


def dkms_build(host: Host, release: str, version: str | None = None) -> DkmsSource | None:
    """What DKMS has built for this kernel: the newest, or that of the version."""
    built = [
        source for source in dkms_sources(host) if host.names(f"/var/lib/dkms/{source.name}/{source.version}/{release}")
    ]
    return next((source for source in built if version is None or same(source.version, version)), None)


def failed_build(host: Host, release: str) -> str | None:
    """The log of DKMS's last attempt, where that was for this kernel and failed; a build that worked is moved elsewhere."""
    for source in dkms_sources(host):
        path = f"/var/lib/dkms/{source.name}/{source.version}/build/make.log"
        if release in (host.read(path) or ""):
            return path
    return None


@dataclass(frozen=True)
class DkmsSource:
    name: str
    version: str


def dkms_sources(host: Host) -> tuple[DkmsSource, ...]:
    """The nvidia sources DKMS knows or could take in, newest first."""
    names = [name for name in host.names("/var/lib/dkms") if name.startswith("nvidia")]
    known = {DkmsSource(name, entry) for name in names for entry in host.names(f"/var/lib/dkms/{name}")}
    for entry in host.names("/usr/src"):
        found = re.fullmatch(r"(nvidia[a-z-]*?)-(\d+\.\d+[\d.]*)", entry)
        known |= {DkmsSource(found.group(1), found.group(2))} if found else set()
    real = [source for source in known if VERSION.fullmatch(source.version)]
    return tuple(sorted(real, key=lambda source: (as_numbers(source.version), source.name), reverse=True))


def as_numbers(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version or ""))


def same(one: str | None, other: str | None) -> bool:
    """Whether two versions that are told in full are the same: 575.64 and 575.64.03 are two releases."""
    return bool(one) and as_numbers(one) == as_numbers(other)


def agree(one: str | None, other: str | None) -> bool:
    """Whether two versions are the same as far as both tell; some tools leave out the last part."""
    left, right = as_numbers(one), as_numbers(other)
    length = min(len(left), len(right))
    return length > 0 and left[:length] == right[:length]


def without_cuda(version: str | None) -> str | None:
    """NVML puts the major CUDA release before its own version (12.570.195.03); this takes it off."""
    first, _, rest = (version or "").partition(".")
    return rest if first.isdigit() and int(first) < 100 and "." in rest else version
