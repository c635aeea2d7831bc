"""The checks in the order of cause, the verdict, and the one line why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heimdall.doctor.checks import (
    absence,
    container,
    device,
    driver,
    engines,
    framework,
    in_use,
    kernel_log,
    loading,
    mismatch,
    permission,
    surroundings,
    xid,
)
from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.captured import replay
from heimdall.doctor.facts.driver import nvml
from heimdall.doctor.facts.training_plan import plan_for_recipe, read_plan
from heimdall.doctor.finding import Finding, Report, Verdict, as_reason, first_stop, in_order_of_cause
from heimdall.doctor.host import Host
from heimdall.doctor.program import Run, run_program

Check = Callable[[Facts], "Finding | Iterable[Finding] | None"]

# Of each group that asks "what is in the way?" only the first fault counts: the later checks would see its consequences.
DRIVER: tuple[Check, ...] = (
    driver.check_wsl,
    driver.check_jetson,
    driver.check_other_driver,
    driver.check_not_installed,
    kernel_log.check_legacy,
    loading.check_secure_boot,
    loading.check_not_loaded,
    mismatch.check_mismatch,
)
DEVICE: tuple[Check, ...] = (
    xid.check_lost,
    kernel_log.check_too_new,
    kernel_log.check_flavour,
    kernel_log.check_start,
    container.check_refused,
    permission.check_permission,
    permission.check_licence,
    permission.check_compute_mode,
    device.check_mig,
    device.check_forward_compatibility,
    device.check_fabric_manager,
    device.check_nodes,
    device.check_uvm,
    device.check_nvml,
)
CONTAINER: tuple[Check, ...] = (
    container.check_docker,
    engines.check_podman,
    engines.check_elsewhere,
    engines.check_snap,
    container.check_toolkit,
    container.check_restart,
    container.check_rootless,
    container.check_no_cgroups,
    container.check_cdi,
    container.check_error,
    container.check_lost_in_container,
)
TORCH: tuple[Check, ...] = (
    framework.check_torch,
    framework.check_without_cuda,
    framework.check_driver_age,
    framework.check_card_age,
)
SURROUNDINGS: tuple[Check, ...] = (
    surroundings.check_logs,
    surroundings.check_shared_memory,
    surroundings.check_disk,
    surroundings.check_plan,
)
OF_DOCKER = (
    "docker_elsewhere",
    "podman",
    "snap_docker",
    "cdi_disabled",
    "training_not_started",
    "container_toolkit_missing",
    "docker_not_restarted",
    "rootless_docker",
    "toolkit_without_device_rules",
    "stale_cdi",
    "service_without_gpu",
    "gpu_lost_in_container",
)
SEVERITY = ("ok", "unknown", "warning", "fault")


def examine(
    root: Path = Path("/"),
    *,
    recipe: str | None = None,
    plan: Mapping[str, Any] | None = None,
    log: str = "",
    run: Run | None = None,
    environment: Mapping[str, str] | None = None,
    project: Path | None = None,
) -> Report:
    """The whole examination; takes seconds, and a kernel runs on the card where there is one. Never raises.

    `root` other than / reads another machine's tree: nothing of it is run, and nothing of this machine or of this process's
    environment enters the verdict; what programs had said there can stand in files (facts.captured).
    `recipe` compares a training's memory with the card's; `plan` is the document of `heimdall train --plan --json`.
    `log` is the text of a training's log. `project` is the folder of docker-compose.yml, by default this one.
    """
    try:
        live = root == Path("/")
        where = project or (Path.cwd() if live else None)
        host = Host(root, run or (run_program if live else replay(root)), _environment(live, environment), live, where)
        needed = read_plan(plan, recipe) if plan is not None else plan_for_recipe(Host(run=run or run_program), recipe)
        return examine_host(Facts(host, plan=needed, recipe=recipe, log=log))
    except Exception as error:  # the edge: whoever asks why must get an answer in every case
        return _gave_up(error)


def glance(root: Path = Path("/"), *, environment: Mapping[str, str] | None = None) -> Report:
    """The part of the examination that takes less than a second and nothing from the card. Never raises.

    Without Docker, the kernel's log and the proof by a kernel; a verdict `gpu` means that nothing speaks against it.
    """
    try:
        live = root == Path("/")
        host = Host(root, run_program if live else replay(root), _environment(live, environment), live)
        return examine_host(Facts(host, quick=True))
    except Exception as error:  # the edge, as in examine
        return _gave_up(error)


def _environment(live: bool, given: Mapping[str, str] | None) -> dict[str, str]:
    return dict(given if given is not None else os.environ if live else {})


def accelerator_reason(root: Path = Path("/"), *, environment: Mapping[str, str] | None = None) -> str | None:
    """Why there is no usable GPU and what to type, in one line; None where nothing speaks against it. Never raises."""
    report = glance(root, environment=environment)
    return None if report.verdict == "gpu" else report.reason


def examine_host(facts: Facts) -> Report:
    findings = in_order_of_cause(_worst_of_each(_findings(facts)))
    verdict, reason = _conclude(facts, findings)
    return Report(findings, verdict, reason)


def _findings(facts: Facts) -> list[Finding]:
    if not facts.has_card:
        others = () if facts.quick else (container.check_docker, framework.check_torch, *SURROUNDINGS)
        return _all(facts, (absence.check_absence, *others))
    found = _first(facts, DRIVER)
    works = first_stop(found) is None
    hidden = _all(facts, (surroundings.check_environment,))
    if works:
        found += _first(facts, () if _is_withheld(facts) else DEVICE)
        silent = _is_withheld(facts) or (facts.is_jetson and not facts.is_loaded)
        found += [] if first_stop(found) or silent else [device.summary(facts)]
    else:
        found += _all(facts, (in_use.check_in_use,))
    found += _all(facts, (xid.check_xid,)) if not any(item.name == "gpu_lost" for item in found) else []
    found += [*hidden, *_all(facts, CONTAINER)]
    found += [] if hidden else _all(facts, (container.check_service,))
    found += _all(facts, TORCH)
    if not _stops_here(facts, found) and not facts.quick:
        found += _all(facts, (framework.check_cuda,))
    return found + _all(facts, SURROUNDINGS)


def _is_withheld(facts: Facts) -> bool:
    """Inside a container that was given no device, nothing about the device itself can be said."""
    return facts.in_container and not facts.is_wsl and not facts.nodes


def _first(facts: Facts, checks: Sequence[Check]) -> list[Finding]:
    """Up to and with the first finding that stops the GPU."""
    found: list[Finding] = []
    for check in checks:
        found += _guarded(check, facts)
        if first_stop(found):
            break
    return found


def _all(facts: Facts, checks: Sequence[Check]) -> list[Finding]:
    return [finding for check in checks for finding in _guarded(check, facts)]


def _guarded(check: Check, facts: Facts) -> list[Finding]:
    try:
        found = check(facts)
        return [found] if isinstance(found, Finding) else list(found or ())
    except Exception as error:  # one broken check must not silence the others
        name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
        seen = f"{type(error).__name__}: {error}"
        return [Finding("check_failed", "unknown", seen, f"The check {name} itself failed; please report it.")]


def _stops_here(facts: Facts, found: Sequence[Finding]) -> bool:
    """On the host faults of Docker do not keep a kernel from running beside it; all the others do."""
    beside = () if facts.in_container else OF_DOCKER
    return first_stop([item for item in found if item.name not in beside]) is not None


def _worst_of_each(found: Sequence[Finding]) -> list[Finding]:
    """A name once, with its gravest status; checks that failed all stay."""
    kept: dict[str, Finding] = {}
    for item in found:
        before = kept.get(item.name)
        if before is None or SEVERITY.index(item.status) > SEVERITY.index(before.status):
            kept[item.name] = item
    return [*kept.values(), *(item for item in found if item.name == "check_failed" and item not in kept.values())]


def _conclude(facts: Facts, findings: Sequence[Finding]) -> tuple[Verdict, str]:
    proved = [item for item in findings if item.name == "cuda" and item.status == "ok"]
    if proved and facts.torch_proof is not None:
        # A training beside this interpreter needs no Docker, so Docker's faults do not count against it.
        return "gpu", f"{', '.join(facts.models) or 'a GPU'}, proved by a kernel: {facts.torch_proof.evidence}."
    stop = first_stop(findings)
    if stop:
        return "cpu", as_reason(stop)
    if not facts.has_card:
        # What is doubtful about it says more than that none is seen.
        return "cpu", as_reason(next((item for item in findings if item.name == "wsl"), findings[0]))
    return _without_torch(facts, bool(proved))


def _without_torch(facts: Facts, proved: bool) -> tuple[Verdict, str]:
    names = ", ".join(facts.models) or "an NVIDIA card"
    if proved:
        return "gpu", f"{names}, driver {facts.driver_version}, proved by a kernel: {facts.driver_proof.evidence}."
    answers = facts.nvml.code == nvml.OK or not facts.host.live
    if (answers and facts.loaded) or (facts.is_wsl and facts.nvml.gpus):
        return "gpu", f"{names}, driver {facts.driver_version}; nothing speaks against it, and no kernel was run."
    look = "tegrastats" if facts.is_jetson else "nvidia-smi"
    return "cpu", f"It is not known whether the driver works: {facts.nvml.evidence}. Type: {look}"


def _gave_up(error: Exception) -> Report:
    seen = f"{type(error).__name__}: {error}"
    cause = "The examination itself failed; please report it."
    return Report((Finding("check_failed", "unknown", seen, cause),), "cpu", f"{cause} {' '.join(seen.split())}")
