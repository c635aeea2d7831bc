"""What is known about the machine, looked up when a check first asks for it and kept for the examination."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from heimdall.doctor.facts import hardware, proof, wheels
from heimdall.doctor.facts.cards import Generation, of_capability
from heimdall.doctor.facts.containers import docker, training
from heimdall.doctor.facts.driver import distribution, kernels, nvml, packages, versions
from heimdall.doctor.host import Host
from heimdall.doctor.program import ProgramOutput

QUICK_NVML_LIMIT_S = 0.7
NVML_LIMIT_S = 15.0
WINDOWS_LIBRARIES = "/usr/lib/wsl/lib"


@dataclass(frozen=True)
class Plan:
    """Memory a training needs on the card at its peak, in bytes; `name` is the recipe.

    `divisible` says that it can be had in smaller parts, as the training does by itself when memory runs out.
    """

    name: str
    needed_bytes: int
    advice: str = ""
    divisible: bool = True


@dataclass
class Facts:
    """`quick` leaves out what may take longer than a moment: Docker, the kernel's log, the proof by a kernel."""

    host: Host
    quick: bool = False
    plan: Plan | None = None
    recipe: str | None = None
    log: str = ""

    @cached_property
    def in_container(self) -> bool:
        return self.host.in_container

    @cached_property
    def is_wsl(self) -> bool:
        return self.host.is_wsl

    @cached_property
    def release(self) -> str | None:
        return self.host.kernel_release

    @cached_property
    def cards(self) -> tuple[hardware.Card, ...]:
        return hardware.cards(self.host)

    @cached_property
    def is_loaded(self) -> bool:
        return versions.is_loaded(self.host)

    @cached_property
    def loaded(self) -> str | None:
        return versions.loaded_version(self.host)

    @cached_property
    def copies(self) -> tuple[versions.Copy, ...]:
        return versions.library_copies(self.host)

    @cached_property
    def distribution(self) -> distribution.Distribution:
        return distribution.distribution(self.host)

    @cached_property
    def on_disk(self) -> versions.ModuleFile | None:
        """The module that modprobe would take for the running kernel."""
        return self.module_of(self.release)

    def module_of(self, release: str | None) -> versions.ModuleFile | None:
        folders = kernels.module_folders(self.host, release) if release else ()
        return versions.module_on_disk(self.host, release, folders)

    def modules_of(self, release: str | None) -> tuple[versions.ModuleFile, ...]:
        folders = kernels.module_folders(self.host, release) if release else ()
        return versions.modules_on_disk(self.host, release, folders)

    @cached_property
    def sees_modules(self) -> bool:
        """Whether the modules of any kernel can be seen at all; not so inside a container."""
        return bool(kernels.installed(self.host))

    @cached_property
    def sees_running_modules(self) -> bool:
        return bool(self.release and kernels.module_folders(self.host, self.release))

    @cached_property
    def next_kernel(self) -> kernels.NextKernel | None:
        return kernels.next_kernel(self.host, self.release)

    @cached_property
    def waiting(self) -> tuple[kernels.NextKernel, versions.ModuleFile] | None:
        """A kernel other than the running one that boots next, with its module; None where there is none."""
        coming = self.next_kernel
        module = self.module_of(coming.release) if coming and coming.release != self.release else None
        return (coming, module) if coming and module else None

    @cached_property
    def is_jetson(self) -> bool:
        return self.host.exists("/etc/nv_tegra_release") or "-tegra" in (self.release or "")

    @cached_property
    def is_runfile(self) -> bool:
        """Whether the kernel module is the .run file's: an uninstaller left beside a packaged module means nothing."""
        if not distribution.is_runfile(self.host):
            return False
        named = " ".join(packages.driver_packages(self.host))
        packaged = re.search(r"dkms|linux-modules-nvidia|linux-objects-nvidia|kmod|nvidia-kernel", named)
        # Of RPMs only what they leave can be read: akmods' sources, and the folders of packaged modules.
        by_rpm = self.distribution.has_dnf and (
            bool(self.host.names("/usr/src/akmods"))
            or bool(self.on_disk and re.search(r"/extra/nvidia/|/weak-updates/", self.on_disk.path))
        )
        return not packaged and not by_rpm

    @cached_property
    def is_half_packaged(self) -> bool:
        """The kernel module is the .run file's, and packages brought libraries over its own."""
        names = packages.driver_packages(self.host)
        return self.is_runfile and any(packages.LIBRARY_PACKAGE.match(name) for name in names)

    @cached_property
    def is_open(self) -> bool | None:
        return versions.is_open_loaded(self.host)

    @cached_property
    def generations(self) -> tuple[Generation, ...]:
        """Generations of the cards for which they are known, by the bus or else by NVML."""
        seen = [card.generation for card in self.cards if card.generation]
        told = [of_capability(gpu.capability) for gpu in self.nvml.gpus if gpu.capability]
        return tuple(seen or [item for item in told if item])

    @cached_property
    def silent_cards(self) -> int:
        """How many cards on the bus, left to NVIDIA's driver, NVML does not list while it lists others."""
        left = [card for card in self.cards if card.driver is None or card.driver.startswith("nvidia")]
        works = self.nvml.code == nvml.OK and bool(self.nvml.gpus) and not self.in_container
        return max(0, len(left) - len(self.nvml.gpus)) if works else 0

    @cached_property
    def nvidia_smi_details(self) -> str:
        """All that nvidia-smi tells (-q): compute mode, licence."""
        answer = ProgramOutput(None) if self.quick else self.host.run(["nvidia-smi", "-q"], NVML_LIMIT_S)
        return answer.stdout if answer.code is not None else ""

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        return hardware.device_nodes(self.host)

    @cached_property
    def has_card(self) -> bool:
        """Seen on the bus, through the driver, or by what Windows lends (WSL2); a Jetson has one on its own chip."""
        seen = bool(self.cards or self.is_loaded or self.nodes or self.is_jetson)
        return seen or (self.is_wsl and self._windows_has_nvidia())

    def _windows_has_nvidia(self) -> bool:
        lent = any(self.host.exists(f"{WINDOWS_LIBRARIES}/{name}") for name in ("libnvidia-ml.so.1", "libcuda.so.1"))
        return bool(lent or self.copies or self.nvml.gpus) or self.nvml.code == nvml.OPERATING_SYSTEM

    @cached_property
    def nvml(self) -> nvml.Nvml:
        return nvml.ask(self.host, QUICK_NVML_LIMIT_S if self.quick else NVML_LIMIT_S)

    @cached_property
    def user_space(self) -> str | None:
        """The version of the library that programs get: NVML's own word, else the first copy in the loader's order."""
        told = self.nvml.library_version
        if told:
            # nvidia-smi shortens 570.195.03 to 570.195; a copy's name has all of it.
            return next((copy.version for copy in self.copies if versions.agree(copy.version, told)), told)
        return self.copies[0].version if self.copies else None

    @cached_property
    def module_ahead(self) -> str | None:
        """The version of the module that boots next, where the libraries stayed behind it; None where it is to follow them."""
        module = self.module_of(self.next_kernel.release) if self.next_kernel else None
        if module is None or module.version is None or self.user_space is None or self.is_half_packaged:
            return None
        newer = versions.as_numbers(module.version) > versions.as_numbers(self.user_space)
        agrees = versions.agree(module.version, self.user_space)
        return module.version if newer and not agrees and not self._has_module_of_libraries() else None

    def _has_module_of_libraries(self) -> bool:
        """The module was installed in the libraries' version, and only not built: somebody went back to it."""
        installed = packages.driver_packages(self.host).items()
        packaged = [version.partition("-")[0] for name, version in installed if re.search("dkms|kernel-source", name)]
        known = packaged or [source.version for source in versions.dkms_sources(self.host)][:1]
        return any(versions.agree(version, self.user_space) for version in known)

    @cached_property
    def driver_version(self) -> str | None:
        """The one in force once a mismatch is mended: on a host with but one copy of the libraries, mostly that of the copy."""
        if self.module_ahead and not self.in_container:
            return self.module_ahead
        stays = self.in_container or any(versions.agree(copy.version, self.loaded) for copy in self.copies)
        after = (self.loaded, self.user_space) if stays else (self.user_space, self.loaded)
        return after[0] or after[1] or self.nvml.driver_version

    @cached_property
    def kernel_log(self) -> str:
        return "" if self.quick else hardware.kernel_log(self.host)

    @cached_property
    def models(self) -> tuple[str, ...]:
        return hardware.models(self.host) or tuple(gpu.name for gpu in self.nvml.gpus)

    @cached_property
    def engine(self) -> docker.Engine:
        return docker.Engine("not asked", installed=False) if self.quick else docker.ask_engine(self.host)

    @cached_property
    def docker_is_snap(self) -> bool:
        only_snap = self.host.exists("/snap/docker") and self.host.find_program("dockerd") is None
        return self.engine.is_snap or (only_snap and not self.engine.is_desktop and not self.engine.folder)

    @cached_property
    def docker_is_elsewhere(self) -> bool:
        """Whether Docker is in a virtual machine (Docker Desktop) or on another computer; under WSL that machine has the GPU."""
        if not self.engine.answers or self.engine.is_podman or self.is_wsl or self.in_container:
            return False
        return self.engine.is_desktop or not self.engine.runs_on(self.release)

    @cached_property
    def docker(self) -> docker.DockerGpuSupport:
        return docker.support(self.host, self.engine)

    @cached_property
    def training(self) -> training.Training | None:
        asked = self.engine.answers or (not self.host.live and not self.quick)
        return training.find_training(self.host) if asked else None

    @cached_property
    def wheels(self) -> tuple[wheels.Wheel, ...]:
        """Torch beside this interpreter, and in the training container where that runs."""
        here = wheels.installed_torch(self.host)
        runs = self.training is not None and self.training.running
        there = training.torch_in_container(self.host) if runs else None
        return tuple(wheel for wheel in (here, there) if wheel)

    @cached_property
    def training_log(self) -> str:
        """The log that was given, else the end of the training container's."""
        exists = self.training is not None and self.training.source.startswith("docker inspect")
        return self.log or (training.recent_log(self.host) if exists else "")

    @cached_property
    def driver_proof(self) -> proof.Proof:
        return proof.NOT_TRIED if self.quick else proof.prove_driver(self.host)

    @cached_property
    def torch_proof(self) -> proof.Proof | None:
        return proof.prove_torch(self.host)
