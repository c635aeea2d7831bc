"""Torch against the driver and the card, and at last CUDA itself, proved by a kernel."""

from __future__ import annotations

from heimdall.doctor.checks.driver import DOCTOR_ON_HOST, ON_HOST
from heimdall.doctor.facts import Facts, proof, wheels
from heimdall.doctor.facts.containers.training import CONTAINER
from heimdall.doctor.facts.driver import versions
from heimdall.doctor.finding import Finding, Way
from heimdall.doctor.repair import drivers
from heimdall.doctor.repair.host_commands import REBOOT
from heimdall.doctor.symptoms import explain

CUDA_126_INDEX = "https://download.pytorch.org/whl/cu126"


def check_torch(facts: Facts) -> Finding | None:
    if not facts.wheels:
        return None
    seen = "; ".join(
        f"torch {wheel.version}, built for CUDA {wheel.cuda_text}, in {wheel.where}" for wheel in facts.wheels
    )
    release = wheels.torch_release_for(facts.driver_version, _capability(facts))
    driver = f"driver {facts.driver_version}" if facts.driver_version else "this host (no driver)"
    return Finding("torch", "ok", seen, f"For {driver} the training image must be built with torch {release}.")


def check_driver_age(facts: Facts) -> Finding | None:
    """A wheel needs the driver branch of its major CUDA release, or a newer one."""
    branch = (versions.as_numbers(facts.driver_version) or (0,))[0]
    for wheel in facts.wheels:
        if branch and wheel.oldest_driver and branch < wheel.oldest_driver:
            return _too_old(facts, wheel, wheel.oldest_driver)
    return None


def _too_old(facts: Facts, wheel: wheels.Wheel, needed: int) -> Finding:
    version = facts.driver_version or ""
    release = wheels.torch_release_for(version, _capability(facts))
    cuda = wheels.cuda_of_driver(version)
    speaks = f" (CUDA {cuda})" if cuda else ""
    cause = (
        f"torch {wheel.version} is built for CUDA {wheel.cuda_text} and needs driver {needed} or newer; the driver is {version}"
        f"{speaks}, so torch would quietly use the CPU."
    )
    runs_on_old = (versions.as_numbers(version) or (0,))[0] >= wheels.DRIVER_FOR_CUDA[12]
    take_release = _wheel_that_runs(facts, wheel, release) if runs_on_old else ()
    seen = f"torch {wheel.version} in {wheel.where}, CUDA {wheel.cuda_text}; driver {version}{speaks}"
    upgrade = _upgrade(facts, needed)
    if not take_release:
        return Finding("driver_too_old_for_torch", "fault", seen, cause, upgrade)
    # With a newer driver the wheel starts, and still has no code for a card that its CUDA left behind.
    serves = all(wheels.has_code_for(wheel, item) is not False for item in _capabilities(facts))
    ways = (Way(f"or upgrade the driver to {needed} or newer", upgrade),) if serves and not facts.in_container else ()
    return Finding("driver_too_old_for_torch", "fault", seen, cause, take_release, ways)


def _upgrade(facts: Facts, needed: int) -> tuple[str, ...]:
    """How to get the driver that torch needs; a remark if it does not serve the card or is not this system's to install."""
    card = drivers.card_of(facts)
    if (card and not card.is_served_by(needed)) or facts.is_jetson:
        return ("# no driver that supports this card is new enough for torch: it trains on the CPU",)
    if facts.is_wsl:
        return ("# install the current NVIDIA driver for Windows, in Windows",)
    return (*drivers.install_driver(facts, needed, oldest=needed), REBOOT)


def _wheel_that_runs(facts: Facts, wheel: wheels.Wheel, release: str) -> tuple[str, ...]:
    """A release for the driver that has code for the card, too: for cards before Volta it is not the one on PyPI."""
    capability = _capability(facts)
    if capability and capability < wheels.FIRST_CAPABILITY_CUDA_12 and wheels.BUILDS[0].runs(capability):
        return _wheel_for_old()
    return install_release(facts, wheel, release)


def install_release(facts: Facts, wheel: wheels.Wheel, release: str) -> tuple[str, ...]:
    """The image with another torch where the wheel is in a container, else this interpreter's environment."""
    if facts.in_container or CONTAINER in wheel.where:
        build = f"HEIMDALL_TORCH_VERSION={release} docker compose up -d --build training"
        return (*(("# on the host, in the folder of docker-compose.yml:",) if facts.in_container else ()), build)
    return (f"pip install 'torch=={release}' 'torchvision=={wheels.TORCHVISION[release]}'",)


def check_without_cuda(facts: Facts) -> Finding | None:
    for wheel in facts.wheels:
        if wheel.cuda is None:
            release = wheels.torch_release_for(facts.driver_version, _capability(facts))
            cause = f"torch {wheel.version} is built without CUDA; it cannot use any GPU."
            seen = f"torch {wheel.version} in {wheel.where}: version.py names no CUDA"
            return Finding("torch_without_cuda", "fault", seen, cause, _wheel_that_runs(facts, wheel, release))
    return None


def check_card_age(facts: Facts) -> Finding | None:
    """`is_available()` says True here; the first kernel fails."""
    capabilities = _capabilities(facts)
    for wheel in facts.wheels if capabilities and not facts.is_jetson else ():
        listed = () if facts.quick else wheels.architectures(wheel)
        lacks = [item for item in capabilities if wheel.cuda and wheels.has_code_for(wheel, item, listed) is False]
        if lacks:
            return _not_in_torch(facts, wheel, lacks, " ".join(listed) or _built_for(wheel))
    return _in_no_torch(facts, capabilities)


def _built_for(wheel: wheels.Wheel) -> str:
    known = [build for build in wheels.BUILDS if wheel.cuda and build.cuda == wheel.cuda[:2]]
    return " ".join(known[0].code) if known else f"what CUDA {wheel.cuda_text} compiles for"


def _not_in_torch(facts: Facts, wheel: wheels.Wheel, lacks: list[tuple[int, int]], has: str) -> Finding:
    """With a card beside it that torch does know, it is enough to ask for that one."""
    number = ".".join(map(str, min(lacks)))
    seen = f"compute capability {number}; torch {wheel.version} in {wheel.where} has {has}"
    cause = f"The card has compute capability {number}, and torch {wheel.version} has no machine code for it."
    others = [gpu for gpu in facts.nvml.gpus if gpu.capability and gpu.capability not in lacks]
    fix = _wheel_with(facts, wheel, min(lacks))
    if not others:
        return Finding("card_not_in_torch", "fault", seen, cause, fix)
    names = ",".join(gpu.uuid or str(facts.nvml.gpus.index(gpu)) for gpu in others)
    ask = f"HEIMDALL_ACCELERATOR=gpu-ids HEIMDALL_GPU_IDS={names} docker compose up -d training"
    ways = (Way("or a torch that has code for both", fix),) if fix and not fix[-1].startswith("#") else ()
    cause = f"{cause} It has for {', '.join(gpu.name for gpu in others)}: ask for that one alone."
    return Finding("card_not_in_torch", "warning", seen, cause, (ask,), ways)


def _in_no_torch(facts: Facts, capabilities: tuple[tuple[int, int], ...]) -> Finding | None:
    """Whatever torch is installed: cards before Maxwell are in no build of today, those before Volta in none on PyPI."""
    old = [item for item in capabilities if not any(build.runs(item) for build in wheels.BUILDS[1:])]
    if not old or facts.is_jetson or facts.wheels:
        return None
    number = ".".join(map(str, min(old)))
    seen = f"compute capability {', '.join('.'.join(map(str, item)) for item in capabilities)}"
    if len(old) < len(capabilities):
        return _choose_the_newer(facts, old, seen)
    if any(wheels.BUILDS[0].runs(item) for item in old):
        cause = (
            f"The card has compute capability {number}, for which torch's wheels on PyPI have no machine code; "
            "those for CUDA 12.6 have."
        )
        return Finding("card_not_in_torch", "warning", seen, cause, _wheel_for_old())
    cause = (
        f"The card has compute capability {number}, for which no current torch release has machine code: "
        "it trains on the CPU."
    )
    return Finding("card_not_in_torch", "fault", seen, cause, ("# nothing to install: another card, or the CPU",))


def _choose_the_newer(facts: Facts, old: list[tuple[int, int]], seen: str) -> Finding:
    """Of cards of several ages, the service asks for those that torch has code for."""
    newer = [gpu for gpu in facts.nvml.gpus if gpu.capability and gpu.capability not in old]
    names = ",".join(gpu.uuid or str(facts.nvml.gpus.index(gpu)) for gpu in newer)
    ask = f"HEIMDALL_ACCELERATOR=gpu-ids HEIMDALL_GPU_IDS={names or '0'} docker compose up -d training"
    remark = () if names else ("# nvidia-smi -L lists the cards; put the number or UUID of the newer one here:",)
    cause = (
        "The cards are of several ages, and torch has no machine code for the older one: ask for the newer one alone."
    )
    return Finding("card_not_in_torch", "warning", seen, cause, (*remark, ask))


def _wheel_for_old() -> tuple[str, ...]:
    release = wheels.TORCH_CUDA_12
    pip = f"pip install 'torch=={release}' 'torchvision=={wheels.TORCHVISION[release]}' --index-url {CUDA_126_INDEX}"
    return ("# the wheels on PyPI begin at 7.0; those for CUDA 12.6 still have 5.0 to 6.1:", pip)


def _wheel_with(facts: Facts, wheel: wheels.Wheel, capability: tuple[int, int]) -> tuple[str, ...]:
    if not any(build.runs(capability) for build in wheels.BUILDS):
        return ("# no current torch release has code for this card",)
    if capability >= wheels.FIRST_CAPABILITY_CUDA_12:
        return install_release(facts, wheel, wheels.torch_release_for(facts.driver_version, capability))
    return _wheel_for_old()


def _capability(facts: Facts) -> tuple[int, int] | None:
    """Compute capability of the oldest card that any torch has code for: it is the one that fails first."""
    known = [item for item in _capabilities(facts) if any(build.runs(item) for build in wheels.BUILDS)]
    return min(known or _capabilities(facts), default=None)


def _capabilities(facts: Facts) -> tuple[tuple[int, int], ...]:
    """Compute capabilities of the cards, by NVML or else by their numbers on the bus."""
    told = tuple(gpu.capability for gpu in facts.nvml.gpus if gpu.capability)
    return told or tuple(item.capability for item in facts.generations)


def check_cuda(facts: Facts) -> Finding:
    """Only a kernel proves it: NVML can answer where CUDA does not, and `is_available()` can be wrong."""
    if not facts.driver_proof.asked:
        return Finding("cuda", "unknown", facts.driver_proof.message, "CUDA was not tried.")
    if not facts.driver_proof.done:
        return _driver_refuses(facts)
    if facts.torch_proof is None or facts.torch_proof.done:
        seen = [facts.driver_proof.evidence, *([facts.torch_proof.evidence] if facts.torch_proof else [])]
        return Finding("cuda", "ok", "; ".join(seen), "A CUDA kernel ran and gave the right number.")
    known = explain(facts.torch_proof.message)
    if known:
        return known
    cause = "CUDA works without torch, but not through it."
    fix = ("python3 -c 'import torch; print(torch.ones(1, device=\"cuda\"))'",)
    return Finding("cuda", "fault", f"{facts.driver_proof.evidence}; {facts.torch_proof.evidence}", cause, fix)


def _driver_refuses(facts: Facts) -> Finding:
    shown = facts.driver_proof
    if shown.code is None and "libcuda" in shown.message:
        cause = "The CUDA driver library (libcuda.so.1) is missing, though NVML answers."
        fix: tuple[str, ...] = (*drivers.install_libraries(facts), "sudo ldconfig")
        if facts.in_container:
            fix = (
                "# in docker/accelerators.yml: NVIDIA_DRIVER_CAPABILITIES: compute,utility; then:",
                "docker compose up -d training",
            )
        return Finding("cuda", "fault", shown.evidence, cause, fix)
    fix = (
        (ON_HOST, "sudo reboot", f"# if that does not help: {DOCTOR_ON_HOST}")
        if facts.in_container
        else ("sudo reboot",)
    )
    code = f"error {shown.code}" if shown.code is not None else shown.message
    cause = f"NVML answers and lists the card, but CUDA itself does not start ({code}): the driver is half replaced."
    if shown.code != proof.DRIVER_MISMATCH:
        cause = f"NVML answers and lists the card, but no CUDA kernel runs on it ({code})."
    return Finding("cuda_fails_though_nvml_answers", "fault", f"{facts.nvml.evidence}; {shown.evidence}", cause, fix)
