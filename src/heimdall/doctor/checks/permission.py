"""The driver and the card are well, and yet a program may not use them: permissions, licence, compute mode."""

from __future__ import annotations

import re

from heimdall.doctor.facts import Facts, hardware
from heimdall.doctor.facts.driver import nvml
from heimdall.doctor.finding import Finding, Status

OTHERS_READ_WRITE = 0o006
SELINUX_DENIES = re.compile(r"[^\n]*avc:\s+denied[^\n]*(?:nvidia|xserver_misc_device_t)[^\n]*")
UNLICENSED = (
    r"Failed to acquire license|[Ll]icense (?:request|server).*(?:fail|unreachable|timed out)"
    r"|Valid GRID license not found|Unlicensed"
)
LICENSED = r"License acquired successfully|License renewed successfully"


def check_permission(facts: Facts) -> Finding | None:
    # The audit log can be long: not for a glance.
    return (None if facts.quick else _selinux(facts)) or _group(facts)


def _selinux(facts: Facts) -> Finding | None:
    enforcing = (facts.host.read("/sys/fs/selinux/enforce") or "").strip() == "1"
    told = SELINUX_DENIES.search(f"{facts.host.read('/var/log/audit/audit.log') or ''}\n{facts.kernel_log}")
    if not told or (facts.host.exists("/sys/fs/selinux/enforce") and not enforcing):
        return None
    cause = "SELinux forbids containers the GPU's device files."
    return Finding(
        "device_permission", "fault", told.group(0).strip()[:300], cause, ("sudo setsebool -P container_use_devices 1",)
    )


def _group(facts: Facts) -> Finding | None:
    """A device file that only a group may open; set by the module's options, or by NVML's refusal."""
    if facts.nvml.code == nvml.NO_PERMISSION:
        return _not_allowed(facts, facts.nvml.evidence, "This user may not open the GPU's device files.")
    for node in facts.nodes:
        mode = facts.host.mode(node)
        if mode is not None and not mode & OTHERS_READ_WRITE and facts.nvml.code != nvml.OK and not facts.in_container:
            cause = "The GPU's device files may be opened by root and a group only."
            return _not_allowed(facts, f"{node} has mode {mode & 0o777:o}{_option(facts)}", cause, certain=False)
    return None


def _not_allowed(facts: Facts, seen: str, cause: str, certain: bool = True) -> Finding:
    fix = ("ls -l /dev/nvidia0 /dev/nvidiactl /dev/nvidia-uvm", "sudo usermod -aG video,render $USER", "# log in again")
    if facts.distribution.family == "nixos":
        fix = (
            "ls -l /dev/nvidia0",
            '# in configuration.nix: users.users.NAME.extraGroups = [ "video" "render" ];',
            "sudo nixos-rebuild switch",
        )
    # Debian sets the mode so by default: without a refusal it is a hint, no fault.
    status: Status = "fault" if certain else "warning"
    return Finding("device_permission", status, seen, cause, fix, confidence="certain" if certain else "likely")


def _option(facts: Facts) -> str:
    texts = "\n".join(facts.host.read(f"/etc/modprobe.d/{name}") or "" for name in facts.host.names("/etc/modprobe.d"))
    found = re.search(r"NVreg_DeviceFile(?:Mode|GID)=\S+", texts)
    return f" ({found.group(0)} in /etc/modprobe.d)" if found else ""


def check_licence(facts: Facts) -> Finding | None:
    """A virtual GPU without a licence is slowed down after a while, and then refuses CUDA."""
    has_vgpu = facts.host.exists("/etc/nvidia/gridd.conf") or any(
        re.search(r"GRID|-\d+[QCAB]\b", name) for name in facts.models
    )
    log = "" if facts.quick or not has_vgpu else hardware.gridd_log(facts.host)
    lines = [line for line in log.splitlines() if re.search(f"{UNLICENSED}|{LICENSED}", line)]
    told = re.search(r"License Status\s*:\s*(Unlicensed[^\n]*)", facts.nvidia_smi_details) if has_vgpu else None
    if not told and not (lines and re.search(UNLICENSED, lines[-1])):
        return None
    seen = (
        lines[-1].strip()[:300] if lines else f"nvidia-smi -q: License Status: {told.group(1).strip() if told else ''}"
    )
    cause = "The virtual GPU (vGPU) has no licence, so its driver slows CUDA down and then refuses it."
    fix = (
        "ls -l /etc/nvidia/ClientConfigToken",
        "# put the licence server's token (client_configuration_token_*.tok) there, readable to all; then:",
        "sudo systemctl restart nvidia-gridd",
        "nvidia-smi -q | grep -i license",
    )
    return Finding("vgpu_licence", "fault", seen, cause, fix)


def check_compute_mode(facts: Facts) -> Finding | None:
    """Prohibited: no CUDA program at all; exclusive: one at a time, the next one hears "busy or unavailable"."""
    modes = re.findall(r"Compute Mode\s*:\s*(\w+)", facts.nvidia_smi_details)
    barred = [mode for mode in modes if mode == "Prohibited"]
    exclusive = [mode for mode in modes if mode.startswith("Exclusive")]
    if not barred and not exclusive:
        return None
    seen = f"nvidia-smi -q: Compute Mode: {', '.join(modes)}"
    if barred and len(barred) == len(modes):
        cause = "The card's compute mode is Prohibited: no CUDA program may use it."
        return Finding("compute_mode", "fault", seen, cause, ("sudo nvidia-smi -c DEFAULT",))
    cause = "The card's compute mode lets one program use it at a time; a second one is told that it is busy or unavailable."
    return Finding("compute_mode", "warning", seen, cause, ("sudo nvidia-smi -c DEFAULT",))
