"""What is round a working GPU: environment variables, shared memory, disk, the recipe's memory against the card's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from heimdall.doctor.facts import Facts
from heimdall.doctor.finding import Finding
from heimdall.doctor.repair import cluster
from heimdall.doctor.symptoms import explain_log

MIB, GIB = 2**20, 2**30
SHARED_FAULT_BYTES = 256 * MIB
SHARED_WARNING_BYTES = 1 * GIB
DISK_FAULT_BYTES = 1 * GIB
DISK_WARNING_BYTES = 10 * GIB
RECREATE = "docker compose up -d --force-recreate training"
NEEDED_CAPABILITIES = {"compute", "utility"}
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def check_environment(facts: Facts) -> Finding | None:
    """A variable hides the card: in this process, or in the training container's settings."""
    if not facts.has_card:
        return None
    here = _hidden(facts.host.environment, facts.in_container and not facts.nodes, facts.in_container)
    if here:
        line, cause = here
        fix = _line_to_change(line, facts.in_container)
        if facts.host.in_pod:
            fix = cluster.change_settings(f"in this container's environment in its manifest, mend {line}")
        return Finding("environment", "fault", line, cause, fix)
    training = facts.training
    there = _hidden(training.environment, not training.asks_for_gpu, True) if training else None
    if training and there:
        return Finding(
            "environment", "fault", f"{training.source}: {there[0]}", there[1], _line_to_change(there[0], True)
        )
    return None


def _hidden(environment: Mapping[str, str], without_device: bool, in_container: bool) -> tuple[str, str] | None:
    """The assignment that hides the card, and why. A CDI specification sets `void` itself, with the devices there."""
    visible, capabilities, chosen = (
        environment.get(name)
        for name in ("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "CUDA_VISIBLE_DEVICES")
    )
    if in_container and without_device and visible is not None and visible.strip() in ("", "void", "none"):
        return (
            f"NVIDIA_VISIBLE_DEVICES={visible}",
            "NVIDIA_VISIBLE_DEVICES tells the container toolkit to hand out no GPU.",
        )
    words = {word.strip() for word in (capabilities or "all").split(",")}
    if in_container and "all" not in words and not words >= NEEDED_CAPABILITIES:
        missing = " and ".join(sorted(NEEDED_CAPABILITIES - words))
        return f"NVIDIA_DRIVER_CAPABILITIES={capabilities}", f"NVIDIA_DRIVER_CAPABILITIES leaves out {missing}."
    if chosen is not None and chosen.split(",")[0].strip().lower() in ("", "-1", "none", "nodevfiles", "void"):
        return f"CUDA_VISIBLE_DEVICES={chosen}", "CUDA_VISIBLE_DEVICES hides every GPU from CUDA programs."
    return None


def _line_to_change(line: str, in_container: bool) -> tuple[str, ...]:
    name = line.partition("=")[0]
    if not in_container:
        return (f"unset {name}",)
    where = "of the service training (docker-compose.yml, docker/accelerators.yml)"
    if name == "NVIDIA_DRIVER_CAPABILITIES":
        return (f"# below environment: {where} write {name}: compute,utility; then:", RECREATE)
    return (f"# below environment: {where} delete {name}; then:", RECREATE)


def check_shared_memory(facts: Facts) -> Finding | None:
    """Here, and in the training container as it was created."""
    training = facts.training
    there = training.shared_bytes if training else None
    here = _shared_bytes(facts)
    known = [size for size in (here, there) if size is not None]
    if not known:
        return None
    inside = facts.in_container or there == min(known)
    found = _shared(min(known), "in the training container" if there == min(known) else "here", inside)
    if found.fix and facts.host.in_pod:
        return replace(found, fix=(cluster.OUTSIDE, f"{cluster.UPGRADE} worker.sharedMemory=2Gi"))
    return found


def _shared(size: int, where: str, inside: bool) -> Finding:
    seen = f"/dev/shm {where} has {size / MIB:.0f} MiB"
    if size >= SHARED_WARNING_BYTES:
        return Finding("shared_memory", "ok", seen, "Shared memory is large enough for data loader workers.")
    fix: tuple[str, ...] = ("sudo mount -o remount,size=2g /dev/shm",)
    if inside:
        fix = ('# docker-compose.yml, service training: shm_size: "2gb"; then on the host:', RECREATE)
    cause = "Shared memory (/dev/shm) is small: data loader workers die with a bus error."
    return Finding("shared_memory", "fault" if size < SHARED_FAULT_BYTES else "warning", seen, cause, fix)


def _shared_bytes(facts: Facts) -> int | None:
    """Size of /dev/shm by the mount's options, which a copied tree has too, or else by the file system."""
    # Of a tree /proc/self would be the process that examines it.
    paths = ("/proc/self/mounts", "/proc/mounts") if facts.host.live else ("/proc/1/mounts",)
    if not facts.host.live and facts.host.link("/proc/mounts") is None:
        paths = (*paths, "/proc/mounts")
    mounts = next((text for text in map(facts.host.read, paths) if text), "")
    found = re.findall(r"^\S+ /dev/shm \S+ \S*?\bsize=(\d+)([kmg]?)", mounts, re.MULTILINE)
    if found:
        # Of mounts on top of each other the last is the one that is seen.
        return int(found[-1][0]) * UNITS[found[-1][1]]
    space = facts.host.space(facts.host.at("/dev/shm")) if facts.host.live else None
    return space.total_bytes if space else None


def check_disk(facts: Facts) -> Finding | None:
    """Where the images and the runs go."""
    if not facts.host.live:
        return None
    home = facts.host.environment.get("HEIMDALL_HOME") or "/var/lib/docker"
    path = home if facts.host.exists(home) else "/"
    space = facts.host.space(facts.host.at(path))
    if space is None:
        return None
    seen = f"{path}: {space.free_bytes / GIB:.1f} GiB free of {space.total_bytes / GIB:.1f} GiB"
    if space.free_bytes >= DISK_WARNING_BYTES:
        return Finding("disk_space", "ok", seen, "There is room for images, checkpoints and runs.")
    cause = "The disk is nearly full: the training image takes several GiB, and every checkpoint a few hundred MiB."
    fix = ("docker system df", "docker builder prune", f"df -h {path}")
    return Finding("disk_space", "fault" if space.free_bytes < DISK_FAULT_BYTES else "warning", seen, cause, fix)


def check_plan(facts: Facts) -> Finding | None:
    """The recipe's memory against the smallest card's, where both are known."""
    sizes = [gpu.memory_bytes for gpu in facts.nvml.gpus if gpu.memory_bytes]
    plan = facts.plan
    if plan is None:
        seen = f"heimdall train --recipe {facts.recipe} --plan --json gave no needed_bytes"
        return Finding("memory_plan", "unknown", seen, "What the recipe needs is not known.") if facts.recipe else None
    needed = f"{plan.name} needs {plan.needed_bytes / GIB:.2f} GiB"
    if not sizes:
        return Finding("memory_plan", "unknown", needed, "The memory of the card is not known.")
    card = min(sizes)
    seen = f"{needed}; the card has {card / GIB:.2f} GiB"
    if plan.needed_bytes <= card:
        return Finding("memory_plan", "ok", seen, f"The recipe {plan.name} fits on the card.")
    cause = f"The recipe {plan.name} does not fit on the card in one piece; the training will use smaller parts."
    if not plan.divisible:
        cause = f"The recipe {plan.name} does not fit on the card."
    fix = (*((f"# {plan.advice}",) if plan.advice else ()), f"heimdall train --recipe {plan.name} --plan")
    return Finding("memory_plan", "warning" if plan.divisible else "fault", seen, cause, fix)


def check_logs(facts: Facts) -> tuple[Finding, ...]:
    """What only a program's own log shows: a fork after CUDA, a poisoned context, a bus error."""
    return explain_log(facts.training_log) if facts.training_log else ()
