"""Commands that install, build or exchange the driver, in this distribution's words and for this card.

Names are those of: Ubuntu and Debian, RPM Fusion or NVIDIA's own source on Fedora and RHEL, openSUSE's G0x packages, Arch.
Never a branch that no longer serves the card, and never a module over an installation of another kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.cards import Generation
from heimdall.doctor.facts.driver import packages
from heimdall.doctor.facts.driver.distribution import Family, has_repository, is_proxmox
from heimdall.doctor.repair.host_commands import APT_UPDATE, Commands

BRANCH = 580
"""What is installed where nothing else is asked for: it serves every card from Maxwell to Blackwell, and torch's CUDA 13."""
OLDEST_PACKAGED = 470
OLDEST_OF_TORCH = 525
"""CUDA 12, with which torch is built, begins with this branch."""
CUDA_SOURCE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"
RPM_FUSION = "https://rpmfusion.org/Configuration"
RUNFILES = "https://download.nvidia.com/XFree86/Linux-x86_64"
DEBIAN_NEWEST = {11: 470, 12: 535, 13: 550}


def card_of(facts: Facts) -> Generation | None:
    """The card that sets the limits: the oldest one that a driver of today could still serve, else the oldest."""
    known = sorted(facts.generations, key=lambda item: item.capability)
    return next((item for item in known if item.is_served_by(BRANCH)), known[0] if known else None)


def branch_for(card: Generation | None, wanted: int = BRANCH) -> int:
    return min(wanted, card.last_branch) if card and card.last_branch else wanted


def install_driver(facts: Facts, wanted: int = BRANCH, oldest: int = OLDEST_OF_TORCH) -> Commands:
    """Without the reboot, which is the caller's last step. `oldest` is the oldest branch that is of any use."""
    branch = branch_for(card_of(facts), wanted)
    if is_unserved(facts):
        return ("# to use the card, install a distribution with glibc, such as Debian or Ubuntu",)
    if facts.is_runfile:
        return run_installer(branch_text=f"a {branch} driver")
    return install_packaged(facts, wanted, oldest)


def is_unserved(facts: Facts) -> bool:
    """NVIDIA's libraries are built for glibc, and Alpine has musl in its place: there is no driver to install."""
    return facts.distribution.family == "alpine" and not facts.copies and not facts.in_container


def use_of(facts: Facts) -> str:
    """What to say of a card that no driver or no torch can use once all is done; empty for the others."""
    if is_unserved(facts):
        return " NVIDIA has no driver for Alpine, whose C library is musl: here everything runs on the CPU."
    known = facts.generations
    if not known or any(not item.last_branch or item.last_branch >= OLDEST_OF_TORCH for item in known):
        return ""
    return " No current torch release has code for a card that old, so it trains on the CPU in any case."


def install_packaged(facts: Facts, wanted: int = BRANCH, oldest: int = OLDEST_OF_TORCH) -> Commands:
    """Install the driver from this distribution's packages, whatever was there before."""
    card = card_of(facts)
    branch, family = branch_for(card, wanted), facts.distribution.family
    if branch < OLDEST_PACKAGED or (family == "debian" and branch < 500 and facts.distribution.major >= 13):
        return (
            f"# driver {branch} is no longer packaged, and no current torch release has code for this card: it trains on the CPU",
        )
    driver = _Driver(facts, card, branch, oldest)
    if facts.distribution.image_based and family in ("fedora", "rhel"):
        return _rpm_ostree(driver)
    return _BY_FAMILY.get(family, _unknown)(driver)


@dataclass(frozen=True)
class _Driver:
    """What is to be installed, and where."""

    facts: Facts
    card: Generation | None
    branch: int
    oldest: int

    @property
    def is_open(self) -> bool:
        """With the open kernel module, which begins with branch 515."""
        return bool(self.card and self.card.can_open and self.branch >= 515)


def run_installer(version: str = "", branch_text: str = "", options: str = "", remark: str = "") -> Commands:
    """Over an installation by NVIDIA's .run file goes another .run file and nothing else."""
    if not version:
        return (f"# the driver here was installed by NVIDIA's .run file; take one of {branch_text}: {RUNFILES}/",)
    name = f"NVIDIA-Linux-x86_64-{version}.run"
    why = remark or "the driver here was installed by NVIDIA's .run file; only the same file fits"
    return (f"# {why}: {RUNFILES}/{version}/{name}", f"sudo sh {name}{options}")


def _ubuntu(driver: _Driver) -> Commands:
    names = " ".join(packages.driver_packages(driver.facts.host))
    found = re.search(r"nvidia-(?:driver|headless|utils|compute-utils)-\d+(-server)?(-open)?", names)
    server = (found.group(1) or "") if found else ""
    was_open = bool(found and "-open" in names) and driver.branch >= 515
    flavour = "-open" if (driver.is_open if driver.card else was_open) else ""
    return (APT_UPDATE, f"sudo apt-get install nvidia-driver-{driver.branch}{server}{flavour}")


def _debian(driver: _Driver) -> Commands:
    facts, card, branch = driver.facts, driver.card, driver.branch
    headers = "proxmox-default-headers" if is_proxmox(facts.host) else "linux-headers-amd64"
    newest = DEBIAN_NEWEST.get(facts.distribution.major, 550)
    sections = "# contrib, non-free and non-free-firmware must be enabled in the package sources"
    if card and card.last_branch and card.last_branch < 500:
        return (sections, APT_UPDATE, f"sudo apt-get install {headers} nvidia-tesla-{branch}-driver")
    needed = max(driver.oldest, card.first_branch if card else 0)
    if newest < needed or (card and card.needs_open) or has_repository(facts.host, r"cuda"):
        from_nvidia = (
            f"# Debian's own driver ({newest}) may be too old for it; NVIDIA's source must be set up once: "
            f"{CUDA_SOURCE}"
        )
        name = "nvidia-open" if card and card.can_open else f"cuda-drivers-{branch}"
        return (from_nvidia, APT_UPDATE, f"sudo apt-get install {headers} {name}")
    return (sections, APT_UPDATE, f"sudo apt-get install {headers} nvidia-driver")


def is_from_rpm_fusion(facts: Facts) -> bool:
    """Fedora's driver comes from there unless NVIDIA's own package source is set up."""
    return facts.distribution.family == "fedora" and not has_repository(facts.host, r"^cuda-|nvidia")


def _rpm_fusion_names(driver: _Driver) -> str:
    old = f"-{driver.branch}xx" if driver.card and driver.card.last_branch else ""
    return f"akmod-nvidia{old} xorg-x11-drv-nvidia{old}-cuda"


def _rpm_ostree(driver: _Driver) -> Commands:
    remark = f"# RPM Fusion must be set up once: {RPM_FUSION}"
    return (remark, f"sudo rpm-ostree install {_rpm_fusion_names(driver)}")


def _fedora(driver: _Driver) -> Commands:
    tool = driver.facts.distribution.rpm_tool
    if not is_from_rpm_fusion(driver.facts):
        name = "nvidia-open" if driver.card and driver.card.can_open else f"cuda-drivers-{driver.branch}"
        return (f"sudo {tool} install {name}",)
    remark = f"# RPM Fusion must be set up once: {RPM_FUSION}; the module is built a few minutes later"
    return (remark, f"sudo {tool} install {_rpm_fusion_names(driver)}", "sudo akmods --force")


def _rhel(driver: _Driver) -> Commands:
    distribution = driver.facts.distribution
    remark = f"# NVIDIA's package source must be set up once: {CUDA_SOURCE}"
    if distribution.rpm_tool == "yum":
        return (remark, "sudo yum install nvidia-driver-latest-dkms")
    if distribution.major >= 10 or distribution.major == 0:
        name = "nvidia-open" if driver.is_open else f"cuda-drivers-{driver.branch}"
        return (remark, f"sudo {distribution.rpm_tool} install {name}")
    stream = "open-dkms" if driver.is_open else f"{driver.branch}-dkms"
    return (remark, f"sudo dnf module install nvidia-driver:{stream}")


def suse_names(card: Generation | None) -> tuple[str, str]:
    """The kernel module's package and that of the CUDA libraries."""
    if card and card.last_branch and card.last_branch < 500:
        return "nvidia-gfxG05-kmp-default", "nvidia-computeG05"
    if card and not card.can_open:
        return "nvidia-driver-G06-kmp-default", "nvidia-compute-utils-G06"
    return "nvidia-open-driver-G06-signed-kmp-default", "nvidia-compute-utils-G06"


def _suse(driver: _Driver) -> Commands:
    remark = (
        "# NVIDIA's package source must be set up once (openSUSE-repos-Tumbleweed-NVIDIA or openSUSE-repos-Leap-NVIDIA)"
    )
    tool = "transactional-update pkg install" if driver.facts.distribution.image_based else "zypper install"
    return (remark, f"sudo {tool} {' '.join(suse_names(driver.card))}")


def arch_kernel(facts: Facts, release: str | None) -> str:
    """The package of a kernel, as it says itself beside its modules; else by its release: linux, linux-lts, linux-zen."""
    told = (
        facts.host.read(f"/usr/lib/modules/{release}/pkgbase") or facts.host.read(f"/lib/modules/{release}/pkgbase")
    ) or ""
    numbered = re.match(r"(\d+)\.(\d+)\.\S*MANJARO", release or "")
    found = re.search(r"-(lts|zen|hardened|rt|cachyos)\b", release or "")
    guess = f"linux{''.join(numbered.groups())}" if numbered else f"linux-{found.group(1)}" if found else "linux"
    return told.strip() or guess


def install_for_arch(facts: Facts, branch: int, is_open: bool) -> Commands:
    kernel = arch_kernel(facts, facts.release)
    if facts.distribution.name == "manjaro":
        return ("sudo pacman -Syu", "sudo mhwd -a pci nonfree 0300")
    if not is_open and facts.generations:
        return (f"# from the AUR: nvidia-{branch}xx-dkms and nvidia-{branch}xx-utils, with {kernel}-headers",)
    names = "nvidia-open" if kernel == "linux" else f"nvidia-open-dkms {kernel}-headers"
    return (f"sudo pacman -Syu --needed {names} nvidia-utils",)


def _arch(driver: _Driver) -> Commands:
    return install_for_arch(driver.facts, driver.branch, driver.is_open)


def _nixos(driver: _Driver) -> Commands:
    card = driver.card
    is_open = "true" if card and card.can_open else "false"
    legacy = f" package = config.boot.kernelPackages.nvidiaPackages.legacy_{driver.branch};"
    package = legacy if card and card.last_branch else ""
    remark = (
        '# in configuration.nix: services.xserver.videoDrivers = [ "nvidia" ]; '
        f"hardware.graphics.enable = true; hardware.nvidia = {{ open = {is_open};{package} }}; then:"
    )
    return (remark, "sudo nixos-rebuild boot")


def _unknown(driver: _Driver) -> Commands:
    kind = "open" if driver.is_open and driver.card and driver.card.needs_open else "NVIDIA's"
    return (f"# install {kind} driver, branch {driver.branch}, from your distribution's packages",)


_BY_FAMILY: Mapping[Family, Callable[[_Driver], Commands]] = {
    "ubuntu": _ubuntu,
    "debian": _debian,
    "fedora": _fedora,
    "rhel": _rhel,
    "suse": _suse,
    "arch": _arch,
    "nixos": _nixos,
}


def install_libraries(facts: Facts) -> Commands:
    """The user-space libraries of the driver that is there, CUDA's among them."""
    version = facts.loaded or facts.user_space or ""
    if facts.is_runfile:
        return run_installer(version, options=" --no-kernel-module")
    branch, tool = packages.branch(facts.host, version), facts.distribution.rpm_tool
    of_fedora = "xorg-x11-drv-nvidia-cuda" if is_from_rpm_fusion(facts) else "nvidia-driver-cuda"
    unknown = f"# install the user-space libraries of driver {version}, libcuda.so.1 among them"
    by_family: Mapping[Family, Commands] = {
        "ubuntu": (APT_UPDATE, f"sudo apt-get install libnvidia-compute-{branch} nvidia-utils-{branch}"),
        "debian": (APT_UPDATE, "sudo apt-get install libcuda1 libnvidia-ml1 nvidia-smi"),
        "fedora": (f"sudo {tool} install {of_fedora}",),
        "rhel": (f"sudo {tool} install nvidia-driver-cuda",),
        "suse": (f"sudo zypper install {suse_names(card_of(facts))[1]}",),
        "arch": ("sudo pacman -Syu --needed nvidia-utils",),
        "nixos": ("# in configuration.nix: hardware.graphics.enable = true; then:", "sudo nixos-rebuild switch"),
    }
    return by_family.get(facts.distribution.family, (unknown,))


def install_fabric_manager(facts: Facts, version: str) -> Commands:
    branch = packages.branch(facts.host, version).partition("-")[0]
    if facts.distribution.has_apt:
        return (f"sudo apt-get install nvidia-fabricmanager-{branch}='{version}-*'",)
    if facts.distribution.has_dnf:
        return (f"sudo {facts.distribution.rpm_tool} install nvidia-fabricmanager-{version}",)
    if facts.distribution.family == "suse":
        return (f"sudo zypper install nvidia-fabricmanager={version}",)
    if facts.distribution.family == "nixos":
        return ("# in configuration.nix: hardware.nvidia.datacenter.enable = true; then:", "sudo nixos-rebuild switch")
    return (f"# install the fabric manager of exactly version {version}",)
