"""Docker between the driver and the training: the toolkit, CDI, the service's own request, a GPU lost on the way."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from heimdall.doctor.checks.driver import ON_HOST
from heimdall.doctor.checks.mismatch import check_mismatch
from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.containers.cdi import CdiSpec, describers, missing_paths, read_specs
from heimdall.doctor.facts.containers.docker import GPU_DEVICE, all_cdi_folders
from heimdall.doctor.facts.containers.training import CONTAINER
from heimdall.doctor.facts.driver import nvml
from heimdall.doctor.facts.driver.versions import agree
from heimdall.doctor.finding import Finding, Way
from heimdall.doctor.repair import cluster, host_commands
from heimdall.doctor.symptoms import explain

RECREATE = "docker compose up -d --force-recreate training"
TOOLKIT_SETTINGS = "/etc/nvidia-container-runtime/config.toml"
ASK_FOR_GPU = "HEIMDALL_ACCELERATOR=gpu docker compose up -d training"
ASK_BY_CDI = "HEIMDALL_ACCELERATOR=gpu-cdi docker compose up -d training"


def check_docker(facts: Facts) -> Finding | None:
    """Whether there is a Docker to ask, and what it can serve; nothing wrong in either case."""
    if facts.engine.is_podman or facts.docker_is_elsewhere or facts.docker_is_snap:
        return None
    if not facts.engine.installed:
        expected = facts.host.live and not facts.in_container
        return Finding("docker", "unknown", facts.engine.fault, "Docker is not installed here.") if expected else None
    if facts.engine.answers:
        seen = f"Docker {facts.docker.engine_version}"
        return Finding("docker", "ok", seen, f"Docker answers: {facts.docker.reason}.")
    denied = "permission denied" in facts.engine.fault
    fix = ("sudo usermod -aG docker $USER", "# log in again") if denied else (host_commands.start_docker(facts),)
    cause = "Docker does not answer, so what it can serve is not known."
    return Finding("docker", "unknown", facts.engine.fault, cause, fix)


def check_toolkit(facts: Facts) -> Finding | None:
    if not _is_plain(facts) or facts.docker.mode != "none" or facts.docker.needs_restart:
        return None
    seen = f"docker info: no runtime nvidia, no discovered device; no nvidia-container-runtime-hook{_refusal(facts)}"
    cause = "The NVIDIA Container Toolkit is not installed, so Docker cannot give a container the GPU."
    return Finding("container_toolkit_missing", "fault", seen, cause, host_commands.install_toolkit(facts))


def _is_plain(facts: Facts) -> bool:
    """A Docker of this host's own kernel, installed by packages; the others have findings of their own."""
    special = facts.engine.is_podman or facts.docker_is_elsewhere or facts.docker_is_snap
    return facts.engine.answers and not special


def check_restart(facts: Facts) -> Finding | None:
    if not _is_plain(facts) or facts.docker.mode != "none" or not facts.docker.needs_restart:
        return None
    seen = f"{facts.docker.reason}{_refusal(facts)}"
    cause = (
        "The NVIDIA Container Toolkit is installed, but Docker was not restarted since; it looks for it when it starts."
    )
    return Finding("docker_not_restarted", "fault", seen, cause, (host_commands.restart_docker(facts),))


def _refusal(facts: Facts) -> str:
    return f"; {facts.training.source}: {facts.training.error}" if facts.training and facts.training.error else ""


def check_rootless(facts: Facts) -> Finding | None:
    if not _is_plain(facts) or not facts.engine.rootless or facts.docker.mode != "toolkit":
        return None
    if _leaves_out_rules(facts):
        return None
    fix = (
        "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place",
        "nvidia-ctk runtime configure --runtime=docker --config=$HOME/.config/docker/daemon.json",
        host_commands.restart_docker(facts),
    )
    ways = (Way("or ask by CDI, which needs no device rules", (*host_commands.generate_cdi(facts), ASK_BY_CDI)),)
    seen = f"docker info: rootless; {TOOLKIT_SETTINGS}: no-cgroups is not true"
    cause = "Docker is rootless and may not write the device rules the toolkit wants (bpf_prog_query: operation not permitted)."
    return Finding("rootless_docker", "fault", seen, cause, fix, ways)


def check_no_cgroups(facts: Facts) -> Finding | None:
    """What rootless Docker and an LXC need takes the card from an ordinary Docker: files without the right to open them."""
    inside = facts.in_container or not _is_plain(facts)
    if inside or facts.engine.rootless or facts.docker.mode != "toolkit" or not _leaves_out_rules(facts):
        return None
    cause = (
        "The NVIDIA Container Toolkit is told to set no device rules (no-cgroups), as rootless Docker needs it; this Docker "
        'needs them: in its containers nvidia-smi says "Failed to initialize NVML: Unknown Error".'
    )
    fix = ("sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups=false --in-place", RECREATE)
    return Finding("toolkit_without_device_rules", "fault", f"{TOOLKIT_SETTINGS}: no-cgroups = true", cause, fix)


def _leaves_out_rules(facts: Facts) -> bool:
    lines = [line.partition("#")[0].replace(" ", "") for line in (facts.host.read(TOOLKIT_SETTINGS) or "").splitlines()]
    return "no-cgroups=true" in [line.strip() for line in lines]


def check_cdi(facts: Facts) -> Finding | None:
    """A specification is a photograph of the driver; it goes stale when the driver changes."""
    if facts.in_container:
        return None
    specs = [spec for spec in read_specs(facts.host, all_cdi_folders(facts.engine)) if f"{spec.kind}=" == GPU_DEVICE]
    stale = {spec: why for spec in specs for why in [_stale(facts, spec)] if why}
    devices = describers(specs)
    twice = {name: owners for name, owners in devices.items() if len(owners) > 1}
    if not stale and not twice:
        return None
    # The hook does not read these files: with it, they are a trap rather than a fault.
    matters = facts.docker.mode != "toolkit" and any(_is_unusable(owners, stale) for owners in devices.values())
    seen = [f"{spec.path}: {why}" for spec, why in stale.items()]
    seen += [f"{name} is described by {' and '.join(spec.path for spec in twice[name])}" for name in sorted(twice)[:1]]
    cause = "The CDI specification no longer fits the driver, so a container that asks by it cannot start."
    if not stale:
        cause = "A CDI device is described twice; only the later folder counts, and the other goes stale unnoticed."
    fix = _one_fresh_spec(facts, specs, stale, twice)
    return Finding("stale_cdi", "fault" if matters else "warning", "; ".join(seen), cause, fix)


def _one_fresh_spec(
    facts: Facts, specs: Sequence[CdiSpec], stale: Mapping[CdiSpec, str], twice: Mapping[str, tuple[CdiSpec, ...]]
) -> tuple[str, ...]:
    keep = next((spec.path for spec in reversed(specs) if spec not in stale), specs[-1].path)
    others = {spec.path for spec in stale} | {spec.path for owners in twice.values() for spec in owners}
    aside = tuple(f"sudo mv {path} {path}.stale" for path in sorted(others - {keep}))
    return (*aside, *host_commands.generate_cdi(facts, keep), "nvidia-ctk cdi list")


def _is_unusable(owners: Sequence[CdiSpec], stale: Mapping[CdiSpec, str]) -> bool:
    """The later folder wins; twice in one folder, the device is dropped."""
    folders = [spec.path.rpartition("/")[0] for spec in owners]
    return owners[-1] in stale or folders.count(folders[-1]) > 1


def _stale(facts: Facts, spec: CdiSpec) -> str:
    missing = missing_paths(facts.host, spec)
    if not facts.host.live and not facts.host.names("/dev"):
        # A disk mounted alone has no devices to look for.
        missing = tuple(path for path in missing if not path.startswith(("/dev/", "/run/")))
    if missing:
        return f"{missing[0]} does not exist" + (f" ({len(missing)} such paths)" if len(missing) > 1 else "")
    other = [version for version in spec.versions if facts.driver_version and not agree(version, facts.driver_version)]
    return f"it mounts libraries {other[0]}, the driver is {facts.driver_version}" if other else ""


def check_service(facts: Facts) -> Finding | None:
    """The training service must ask Docker for a GPU; seen from the host, or from inside by what is missing."""
    if facts.in_container and facts.is_loaded and not facts.nodes and not facts.is_wsl:
        return _without_device(facts)
    training = facts.training
    if training is None or training.asks_for_gpu is not False:
        return None
    ask = ASK_BY_CDI if facts.docker.accelerator == "gpu-cdi" else ASK_FOR_GPU
    return _not_asked(f"{training.source}: no GPU among the device requests", (ask,))


def _without_device(facts: Facts) -> Finding:
    seen = f"the host's driver {facts.loaded} can be seen in /proc, but there is no /dev/nvidia0 in this container"
    if facts.host.in_pod:
        return _pod_without_device(facts, seen)
    if facts.host.container != "lxc":
        return _not_asked(seen, (ON_HOST, ASK_FOR_GPU))
    version_2 = (facts.host.read("/proc/1/cgroup") or "").startswith("0::")
    rule = "lxc.cgroup2.devices.allow" if version_2 else "lxc.cgroup.devices.allow"
    fix = (
        f"# on the host, in this container's configuration: {rule}: c 195:* rwm (and the number of nvidia-uvm in /proc/devices),",
        "# and lxc.mount.entry: /dev/nvidia0 dev/nvidia0 none bind,optional,create=file (the same for nvidiactl and nvidia-uvm)",
    )
    cause = "This container (LXC) is not given the GPU's device files by its host."
    return Finding("service_without_gpu", "fault", seen, cause, fix)


def _pod_without_device(facts: Facts, seen: str) -> Finding:
    """The device plugin tells a container which cards it was given; the runtime of the node has to put them in."""
    given = facts.host.environment.get("NVIDIA_VISIBLE_DEVICES", "")
    if re.match(r"(?:GPU|MIG)-", given):
        cause = (
            "This pod was given a GPU, but the container runtime of its node is not NVIDIA's and does not put it in."
        )
        seen = f"{seen}; NVIDIA_VISIBLE_DEVICES={given}"
        return Finding("service_without_gpu", "fault", seen, cause, cluster.use_nvidias_runtime(), confidence="likely")
    cause = "This pod asks Kubernetes for no GPU (nvidia.com/gpu in its limits), so its container sees none."
    source = "/proc and /dev inside the pod"
    return Finding("service_without_gpu", "fault", seen, cause, cluster.ask_for_gpu(), source=source)


def _not_asked(seen: str, fix: tuple[str, ...]) -> Finding:
    remark = "# heimdall up chooses what the host can serve and writes it into .env, for the plain commands to come"
    cause = "The training service asks Docker for no GPU, so its container sees none."
    return Finding("service_without_gpu", "fault", seen, cause, (*fix, remark))


def check_error(facts: Facts) -> Finding | None:
    """What Docker said when it could not start the training container (State.Error), and which finding that stands for."""
    training = facts.training
    if training is None or not training.error or training.running:
        return None
    seen = f"{training.source}: {training.error}"
    known = explain(training.error)
    if known is not None and _is_over(facts, known.name):
        cause = (
            "Docker could not start the training container the last time; the cause of that is gone: start it again."
        )
        return Finding("training_not_started", "fault", seen, cause, ("docker compose up -d training",))
    if known is None:
        cause = "Docker could not start the training container; its own words say why."
        return Finding("training_not_started", "fault", seen, cause, ("docker compose up -d training",))
    return replace(
        known,
        evidence=seen,
        fix=_in_words_of(facts, known.name) or known.fix,
        source="the container's last error in Docker",
    )


def _is_over(facts: Facts, name: str) -> bool:
    """What Docker said at the last start, and this host by now shows to be well."""
    if name == "driver_library_mismatch":
        return facts.is_loaded and bool(facts.copies) and check_mismatch(facts) is None
    if name == "container_toolkit_missing":
        return _is_plain(facts) and facts.docker.mode == "toolkit"
    return name == "nvidia_uvm" and facts.host.exists("/dev/nvidia-uvm")


def _in_words_of(facts: Facts, name: str) -> tuple[str, ...]:
    """The fix a check of this host would give, where the message alone can only name the most usual one."""
    if name == "container_toolkit_missing" and _is_plain(facts):
        return host_commands.install_toolkit(facts)
    return (*host_commands.generate_cdi(facts), "nvidia-ctk cdi list") if name == "stale_cdi" else ()


def check_refused(facts: Facts) -> Finding | None:
    """Inside: systemctl daemon-reload on the host takes the device rules from running containers."""
    node = next(iter(facts.nodes), None) if facts.host.live else None
    if not facts.in_container or node is None or facts.nvml.code == nvml.OK:
        return None
    if facts.host.open_error(facts.host.at(node)) != errno.EPERM:
        return None
    lost = _lost(f"{facts.nvml.evidence}; {node} is there, but opening it is refused", (ON_HOST,))
    return replace(lost, fix=cluster.recreate_pod(facts), alternatives=()) if facts.host.in_pod else lost


def check_lost_in_container(facts: Facts) -> Finding | None:
    """The training container has lost the GPU, seen from a host that is well."""
    training = facts.training
    if training is None or not training.running or not training.asks_for_gpu or facts.nvml.code not in (None, nvml.OK):
        return None
    inside = nvml.ask_nvidia_smi(facts.host, 15.0, ("docker", "exec", CONTAINER))
    if inside.code != nvml.UNKNOWN:
        return None
    return _lost(f"in {CONTAINER}: {inside.message}; on the host the driver works", ())


def _lost(seen: str, before: tuple[str, ...]) -> Finding:
    by_cdi = (*before, "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml", ASK_BY_CDI)
    cause = "The running container has lost its right to the GPU, as after systemctl daemon-reload on the host."
    ways = (Way("so that it does not come back, ask by CDI", by_cdi),)
    return Finding("gpu_lost_in_container", "fault", seen, cause, (*before, RECREATE), ways)
