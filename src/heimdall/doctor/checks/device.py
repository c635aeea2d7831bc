"""The driver is loaded: does the card behind it work? The first of these checks that finds a fault has the cause."""

from __future__ import annotations

import re

from heimdall.doctor.checks.driver import DOCTOR_ON_HOST, on_host
from heimdall.doctor.facts import Facts, hardware, proof
from heimdall.doctor.facts.driver import nvml, versions
from heimdall.doctor.finding import Finding, Status, Way
from heimdall.doctor.repair import drivers

FABRIC_MANAGER = "nv-fabricmanage"  # the kernel cuts names after 15 characters
MAKE_UVM = "sudo nvidia-modprobe -c 0 -u"
RELOAD_UVM = ("sudo modprobe -r nvidia_uvm", "sudo modprobe nvidia_uvm")


def check_forward_compatibility(facts: Facts) -> Finding | None:
    """cuda-compat serves data centre cards only; on a GeForce its libcuda refuses to start."""
    found = _compat_libraries(facts)
    refused = facts.nvml.code == nvml.OK and facts.driver_proof.code == proof.COMPAT_NOT_SUPPORTED
    # The mere presence is harmless: NVIDIA's images bring the folder, and the loader does not look there by itself.
    in_path = [path for path in found if _is_searched(facts, path)]
    consumer = any(re.search(r"GeForce|TITAN", model) for model in facts.models)
    if not refused and not (in_path and consumer):
        return None
    seen = "; ".join(
        [
            f"found {', '.join(found) or 'no compat folder'}",
            *facts.models[:1],
            *([facts.driver_proof.evidence] if refused else []),
        ]
    )
    cause = "Forward-compatibility libraries (cuda-compat) are in use, and this card does not support them."
    fix = _remove_compat(facts)
    if facts.in_container:
        fix = (
            "# in the image: no cuda-compat package, and no .../compat in LD_LIBRARY_PATH; then:",
            "docker compose build training",
            "docker compose up -d training",
        )
    elif any("/compat" in folder for folder in facts.host.environment.get("LD_LIBRARY_PATH", "").split(":")):
        fix = ("# take the compat folder out of LD_LIBRARY_PATH:", "unset LD_LIBRARY_PATH", *fix)
    return Finding("forward_compatibility", "fault", seen, cause, fix)


def _remove_compat(facts: Facts) -> tuple[str, ...]:
    if facts.distribution.has_apt:
        return ("sudo apt-get purge 'cuda-compat-*'", "sudo ldconfig")
    if facts.distribution.has_dnf:
        return (f"sudo {facts.distribution.rpm_tool} remove 'cuda-compat-*'", "sudo ldconfig")
    if facts.distribution.family == "suse":
        return ("sudo zypper remove 'cuda-compat-*'", "sudo ldconfig")
    return ("# remove the cuda-compat package, or take its folder out of the library path",)


def _compat_libraries(facts: Facts) -> list[str]:
    folders = [f"/usr/local/{name}/compat" for name in facts.host.names("/usr/local") if name.startswith("cuda")]
    return [
        f"{folder}/{name}" for folder in folders for name in facts.host.names(folder) if name.startswith("libcuda.so")
    ]


def _is_searched(facts: Facts, path: str) -> bool:
    folder = facts.host.real(path.rpartition("/")[0])
    searched = facts.host.environment.get("LD_LIBRARY_PATH", "").split(":")
    for name in facts.host.names("/etc/ld.so.conf.d"):
        searched += (facts.host.read(f"/etc/ld.so.conf.d/{name}") or "").splitlines()
    return folder in [facts.host.real(entry.strip()) for entry in searched if entry.strip().startswith("/")]


def check_fabric_manager(facts: Facts) -> Finding | None:
    """Boards with NVSwitch join their cards only once the fabric manager of the driver's exact version runs."""
    switches = hardware.switches(facts.host)
    names = [(facts.host.read(f"/proc/{pid}/comm") or "").strip() for pid in facts.host.processes()]
    runs = FABRIC_MANAGER in names
    refused = facts.nvml.code == nvml.OK and facts.driver_proof.code == proof.NOT_READY
    if not refused and not (switches and not runs and not facts.in_container):
        return None
    if not refused and not any(names):
        cause = "This board needs the fabric manager; whether it runs cannot be seen here."
        seen_here = f"{len(switches)} NVSwitch on the bus; no process can be seen"
        return Finding(
            "fabric_manager_missing", "unknown", seen_here, cause, ("systemctl status nvidia-fabricmanager",)
        )
    version = facts.loaded or facts.driver_version or ""
    seen = [f"{len(switches)} NVSwitch on the bus", *facts.models[:1]]
    seen += [
        f"nv-fabricmanager {'runs' if runs else 'does not run'}",
        *([facts.driver_proof.evidence] if refused else []),
    ]
    cause = f"The cards of this board need the fabric manager, of the driver's exact version {version}."
    begin = "restart" if runs else "enable --now"
    fix = (*drivers.install_fabric_manager(facts, version), f"sudo systemctl {begin} nvidia-fabricmanager")
    return Finding("fabric_manager_missing", "fault", "; ".join(seen), cause, on_host(facts, fix))


def check_mig(facts: Facts) -> Finding | None:
    split = [gpu for gpu in facts.nvml.gpus if gpu.mig]
    if not split:
        return None
    uuids = [uuid for gpu in split for uuid in gpu.mig_uuids]
    capabilities = "/proc/driver/nvidia/capabilities"
    made = any(
        name.startswith("gi")
        for gpu in facts.host.names(capabilities)
        for name in facts.host.names(f"{capabilities}/{gpu}/mig")
    )
    if not uuids and not made:
        return Finding(
            "mig",
            "fault",
            f"{split[0].name}: MIG is on, without an instance",
            "The card is in MIG mode and nobody has made an instance, so CUDA sees no device.",
            on_host(facts, ("# one instance of the whole card:", "sudo nvidia-smi mig -cgi 0 -C")),
            (Way("or leave MIG mode", on_host(facts, ("sudo nvidia-smi -mig 0",))),),
        )
    chosen = facts.host.environment.get("CUDA_VISIBLE_DEVICES", "")
    status: Status = "ok" if chosen.startswith("MIG-") else "warning"
    name = uuids[0] if uuids else "MIG-..."
    remark = () if uuids else ("nvidia-smi -L",)
    cause = "The card is divided (MIG): a process sees one instance only; choose it by its UUID."
    return Finding(
        "mig",
        status,
        f"{split[0].name}: {', '.join(uuids) or 'instances are there'}",
        cause,
        (*remark, f"export CUDA_VISIBLE_DEVICES={name}"),
        (
            Way(
                "for the service",
                (f"HEIMDALL_ACCELERATOR=gpu-ids HEIMDALL_GPU_IDS={name} docker compose up -d training",),
            ),
        ),
    )


def check_nodes(facts: Facts) -> Finding | None:
    """The module is loaded and the card bound, and nobody made the files: udev's rule or nvidia-modprobe did not run."""
    if facts.is_wsl or facts.in_container or not facts.is_loaded or facts.nodes or facts.nvml.code == nvml.OK:
        return None
    bound = any(card.driver == "nvidia" for card in facts.cards)
    if not bound or facts.host.exists("/dev/nvidiactl") or not facts.host.exists("/dev/null"):
        return None
    cause = "The kernel module is loaded, but the card's device files (/dev/nvidia0, /dev/nvidiactl) were not made."
    seen = f"/dev has no nvidia file; module {facts.loaded}; {facts.nvml.evidence}"
    return Finding("device_files_missing", "fault", seen, cause, (MAKE_UVM, "nvidia-smi"))


def check_uvm(facts: Facts) -> Finding | None:
    """Without /dev/nvidia-uvm nvidia-smi is fine and CUDA is not; after a suspend it can be there and be stuck."""
    there = facts.host.exists("/dev/nvidia-uvm")
    if facts.is_wsl or not (facts.nodes or facts.host.exists("/dev/nvidiactl")):
        return None
    if not there and not (facts.nvml.code == nvml.OK and facts.driver_proof.done):
        loaded = "loaded" if facts.host.exists("/sys/module/nvidia_uvm") else "not loaded"
        seen = f"/dev/nvidia-uvm is missing; the module nvidia_uvm is {loaded}"
        again = ("docker compose up -d --force-recreate training",) if facts.in_container else ()
        cause = "The device of unified memory (nvidia-uvm) is missing, and CUDA cannot start without it."
        return Finding("nvidia_uvm", "fault", seen, cause, on_host(facts, (MAKE_UVM, *again)))
    if there and facts.nvml.code == nvml.OK and facts.driver_proof.code == proof.UNKNOWN:
        cause = "The module nvidia_uvm is stuck, as after a suspend: NVML answers, CUDA does not."
        return Finding(
            "nvidia_uvm",
            "fault",
            f"{facts.driver_proof.evidence}; /dev/nvidia-uvm is there",
            cause,
            on_host(facts, RELOAD_UVM),
        )
    return None


def check_nvml(facts: Facts) -> Finding | None:
    """What none of the checks before it could explain."""
    if facts.nvml.timed_out and not facts.quick:
        cause = "The driver does not answer: the card or its driver hangs."
        return Finding(
            "nvml_error",
            "fault",
            facts.nvml.evidence,
            cause,
            on_host(facts, ("sudo dmesg | grep NVRM | tail", "sudo reboot")),
        )
    if facts.nvml.code in (None, nvml.OK) or (facts.in_container and not facts.nodes):
        return None
    cause = (
        f"The driver is loaded, but its library answers: {nvml.MEANING.get(facts.nvml.code or 0, facts.nvml.message)}."
    )
    fix = (DOCTOR_ON_HOST,) if facts.in_container else ("nvidia-smi", "sudo dmesg | grep NVRM | tail", "sudo reboot")
    return Finding("nvml_error", "fault", facts.nvml.evidence, cause, on_host(facts, fix))


def summary(facts: Facts) -> Finding:
    """The state of a driver in which nothing was found wrong."""
    version = facts.loaded or facts.nvml.driver_version or facts.driver_version
    if facts.nvml.code == nvml.OK and not facts.nvml.gpus:
        cause = "The driver answers, but lists no card."
        return Finding(
            "driver",
            "fault",
            facts.nvml.message or "NVML lists 0 devices",
            cause,
            ("lspci -nn -d 10de:", "sudo dmesg | grep NVRM | tail -n 40"),
        )
    if facts.nvml.code == nvml.OK:
        names = ", ".join(gpu.name for gpu in facts.nvml.gpus)
        return Finding(
            "driver", "ok", f"module {version}; NVML answers: {names}", f"Driver {version} is loaded and answers."
        )
    agreeing = versions.agree(facts.loaded, facts.user_space)
    seen = f"module {facts.loaded}, libraries {facts.user_space or 'unknown'}; {facts.nvml.evidence}"
    if agreeing:
        return Finding("driver", "ok", seen, f"Driver {version} is loaded, and its libraries agree.")
    return Finding("driver", "unknown", seen, "A driver is loaded; whether it answers is not known.")
