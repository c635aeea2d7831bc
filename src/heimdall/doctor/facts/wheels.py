"""Torch as it is installed: its CUDA, the cards it has code for, and the driver it needs. Nothing here imports torch."""

from __future__ import annotations

import importlib.util
import mmap
import re
from dataclasses import dataclass, replace
from pathlib import Path

from heimdall.doctor.facts.cards import of_capability
from heimdall.doctor.facts.driver.versions import as_numbers
from heimdall.doctor.host import Host

CURRENT_TORCH = "2.14.1"
TORCH_CUDA_12 = "2.10.0"
"""The last release whose wheel on PyPI is built for CUDA 12, with code for compute capability 7.0 and up (read from it)."""
TORCHVISION = {CURRENT_TORCH: "0.29.1", TORCH_CUDA_12: "0.25.0"}
DRIVER_FOR_CUDA = {11: 450, 12: 525, 13: 580}
"""The oldest driver branch for each major CUDA release: within one, newer minor releases run on older drivers."""
CUDA_OF_DRIVER = {
    525: "12.0",
    530: "12.1",
    535: "12.2",
    545: "12.3",
    550: "12.4",
    555: "12.5",
    560: "12.6",
    565: "12.7",
    570: "12.8",
    575: "12.9",
}


@dataclass(frozen=True)
class Build:
    """One of torch's builds: the index it is on, its CUDA, and the compute capabilities it has machine code for.

    Read from the builds of 2.9 and later (`torch.cuda.get_arch_list()`); nvcc itself sets the ends: CUDA 13 no longer compiles
    for anything before 7.5, and none before 12.8 knows 10.0 or 12.0.
    """

    index: str
    cuda: tuple[int, int]
    code: tuple[str, ...]

    @property
    def oldest_driver(self) -> int:
        return DRIVER_FOR_CUDA[self.cuda[0]]

    def runs(self, capability: tuple[int, int]) -> bool:
        return any(_runs(name, capability) for name in self.code)


BUILDS = (
    Build("cu126", (12, 6), ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")),
    Build("cu128", (12, 8), ("sm_70", "sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")),
    Build("cu130", (13, 0), ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")),
)


def build_for(branch: int, capability: tuple[int, int]) -> Build | None:
    """The newest build that this driver branch and this card can both run; None where there is none."""
    card = of_capability(capability)
    if card is None or not card.is_served_by(branch):
        return None
    fits = [build for build in BUILDS if branch >= build.oldest_driver and build.runs(capability)]
    return fits[-1] if fits else None


FIRST_CAPABILITY_CUDA_13 = (7, 5)
FIRST_CAPABILITY_CUDA_12 = (7, 0)
FIRST_CUDA_OF_BLACKWELL = (12, 8)
PLACES = (
    "/opt/heimdall",
    "/usr/local",
    "/usr",
    "/opt/venv",
    "/opt/conda",
    "/app/.venv",
)


@dataclass(frozen=True)
class Wheel:
    """`cuda` is None for a build without CUDA; `folder` is the package's, where it can be read from here."""

    version: str
    cuda: tuple[int, ...] | None
    where: str
    folder: Path | None = None

    @property
    def oldest_driver(self) -> int | None:
        return DRIVER_FOR_CUDA.get(self.cuda[0], 580 if self.cuda[0] > 13 else None) if self.cuda else None

    @property
    def cuda_text(self) -> str:
        return ".".join(map(str, self.cuda)) if self.cuda else "no CUDA"


def torch_release_for(driver_version: str | None, capability: tuple[int, int] | None = None) -> str:
    """The torch release to build the training image with: the newest whose wheel this driver and this card can run.

    Without a driver, or with one older than 525, the GPU cannot be used either way and the current release it is.
    """
    branch = (as_numbers(driver_version) or (0,))[0]
    old_driver = DRIVER_FOR_CUDA[12] <= branch < DRIVER_FOR_CUDA[13]
    old_card = branch >= DRIVER_FOR_CUDA[12] and capability is not None and capability < FIRST_CAPABILITY_CUDA_13
    return TORCH_CUDA_12 if old_driver or old_card else CURRENT_TORCH


def cuda_of_driver(driver_version: str) -> str | None:
    """The CUDA release a driver was made for, as far as it is known here."""
    branch = (as_numbers(driver_version) or (0,))[0]
    known = [number for number in CUDA_OF_DRIVER if number <= branch]
    return CUDA_OF_DRIVER[max(known)] if known and branch < DRIVER_FOR_CUDA[13] else None


def installed_torch(host: Host) -> Wheel | None:
    """The torch this interpreter would import; of a copied tree, the first that stands in a usual place."""
    folder = _importable() if host.live else None
    candidates = [folder] if folder else [] if host.live else _folders_in_tree(host)
    for candidate in candidates:
        wheel = parse_wheel(text_of(candidate / "version.py"), str(candidate))
        if wheel:
            return replace(wheel, folder=candidate)
    return None


def _importable() -> Path | None:
    try:
        found = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return None
    return Path(found.origin).parent if found and found.origin else None


def _folders_in_tree(host: Host) -> list[Path]:
    found = []
    for place in PLACES:
        for python in host.names(f"{place}/lib"):
            found += [f"{place}/lib/{python}/{packages}/torch" for packages in ("site-packages", "dist-packages")]
    return [host.at(path) for path in found if host.exists(f"{path}/version.py")]


def parse_wheel(text: str, where: str) -> Wheel | None:
    """The wheel from the text of torch/version.py, which names its version and the CUDA that it was built with."""
    version = re.search(r"^__version__\s*=\s*['\"]([^'\"]+)", text, re.MULTILINE)
    cuda = re.search(r"^cuda\b[^=\n]*=\s*['\"]([\d.]+)", text, re.MULTILINE)
    return Wheel(version.group(1), as_numbers(cuda.group(1)) if cuda else None, where) if version else None


def architectures(wheel: Wheel) -> tuple[str, ...]:
    """What `torch.cuda.get_arch_list()` would say; it is compiled in as one string, such as "sm_75 sm_80 sm_86".

    Empty where it cannot be read. The library has tens of megabytes: not for a glance.
    """
    if wheel.folder is None:
        return ()
    library = wheel.folder / "lib" / "libtorch_python.so"
    try:
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            found = re.search(rb"\0((?:(?:sm|compute)_\d+[a-z]? ?)+)\0", raw)
            return tuple(found.group(1).decode().split()) if found else ()
    except (OSError, ValueError):
        return ()


def has_code_for(wheel: Wheel, capability: tuple[int, int], listed: tuple[str, ...] = ()) -> bool | None:
    """Code of the same major and the same or a lower minor capability runs, and PTX of any lower one.

    None where neither the list nor the wheel's CUDA tells.
    """
    if listed:
        return any(_runs(name, capability) for name in listed)
    if wheel.cuda and wheel.cuda[0] >= 13:
        return capability >= FIRST_CAPABILITY_CUDA_13
    if wheel.cuda and wheel.cuda[:2] < FIRST_CUDA_OF_BLACKWELL and capability >= (10, 0):
        return False
    known = [build for build in BUILDS if wheel.cuda and build.cuda == wheel.cuda[:2]]
    return False if known and not known[0].runs(capability) else None


def _runs(architecture: str, capability: tuple[int, int]) -> bool:
    kind, _, number = architecture.partition("_")
    # A trailing letter (sm_90a) binds the code to that very capability.
    digits = number.rstrip("abcdefghijklmnopqrstuvwxyz")
    made_for = (int(digits[:-1]), int(digits[-1]))
    if digits != number:
        return kind == "sm" and made_for == capability
    return (
        made_for <= capability if kind == "compute" else made_for[0] == capability[0] and made_for[1] <= capability[1]
    )


def text_of(path: Path) -> str:
    """What a file holds; nothing where it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
