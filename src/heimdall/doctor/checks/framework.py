"""Torch against the driver and the card, and at last CUDA itself, proved by a kernel."""

from __future__ import annotations

from heimdall.doctor.checks.driver import DOCTOR_ON_HOST
from heimdall.doctor.facts import Facts, packages, proof, versions, wheels
from heimdall.doctor.facts.training import CONTAINER
from heimdall.doctor.finding import Finding
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
    return Finding("torch", "ok", seen, f"For {driver} the training image is to be built with torch {release}.")


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
    take_release = install_release(facts, wheel, release) if runs_on_old else ()
    remark = f"# {'or upgrade' if take_release else 'upgrade'} the driver to {needed} or newer:"
    upgrade = packages.install_driver_commands(facts.host, str(needed))
    return Finding(
        "driver_too_old_for_torch",
        "fault",
        f"torch {wheel.version} in {wheel.where}, CUDA {wheel.cuda_text}; driver {version}{speaks}",
        cause,
        (*take_release, *(() if facts.in_container and take_release else (remark, *upgrade))),
    )


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
            return Finding("torch_without_cuda", "fault", seen, cause, install_release(facts, wheel, release))
    return None


def check_card_age(facts: Facts) -> Finding | None:
    """`is_available()` says True here; the first kernel fails."""
    capability = _capability(facts)
    for wheel in facts.wheels:
        listed = () if facts.quick else wheels.architectures(wheel)
        if capability is None or wheel.cuda is None or wheels.has_code_for(wheel, capability, listed) is not False:
            continue
        number = ".".join(map(str, capability))
        has = " ".join(listed) or "compute capability 7.5 and up"
        cause = f"The card has compute capability {number}, and torch {wheel.version} has no machine code for it."
        return Finding(
            "card_not_in_torch",
            "fault",
            f"compute capability {number}; torch {wheel.version} in {wheel.where} has {has}",
            cause,
            _wheel_with(facts, wheel, capability),
        )
    return None


def _wheel_with(facts: Facts, wheel: wheels.Wheel, capability: tuple[int, int]) -> tuple[str, ...]:
    if capability >= wheels.FIRST_CAPABILITY_CUDA_12:
        return install_release(facts, wheel, wheels.torch_release_for(facts.driver_version, capability))
    release = wheels.TORCH_CUDA_12
    pip = f"pip install 'torch=={release}' 'torchvision=={wheels.TORCHVISION[release]}' --index-url {CUDA_126_INDEX}"
    return ("# the wheels on PyPI begin at 7.0; those for CUDA 12.6 still have 5.0 to 6.1:", pip)


def _capability(facts: Facts) -> tuple[int, int] | None:
    """Of the oldest card, which is the one that fails first."""
    known = [gpu.capability for gpu in facts.nvml.gpus if gpu.capability]
    return min(known) if known else None


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
        fix: tuple[str, ...] = (
            f"sudo apt-get install libnvidia-compute-{packages.branch(facts.host, facts.driver_version)}",
            "sudo ldconfig",
        )
        if facts.in_container:
            fix = (
                "# in docker/accelerators.yml: NVIDIA_DRIVER_CAPABILITIES: compute,utility; then:",
                "docker compose up -d training",
            )
        return Finding("cuda", "fault", shown.evidence, cause, fix)
    fix = (
        ("# on the host:", "sudo reboot", f"# if that does not help: {DOCTOR_ON_HOST}")
        if facts.in_container
        else ("sudo reboot",)
    )
    code = f"error {shown.code}" if shown.code is not None else shown.message
    cause = f"NVML answers and lists the card, but CUDA itself does not start ({code}): the driver is half replaced."
    if shown.code != proof.DRIVER_MISMATCH:
        cause = f"NVML answers and lists the card, but no CUDA kernel runs on it ({code})."
    return Finding("cuda_fails_though_nvml_answers", "fault", f"{facts.nvml.evidence}; {shown.evidence}", cause, fix)
