"""From an error message to its cause: what a log, a job's error or Docker said, and which finding it stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heimdall.doctor.finding import Finding

RESTART_TRAINING = "docker compose restart training"
EXAMINE = "heimdall doctor"


@dataclass(frozen=True)
class Symptom:
    pattern: str
    name: str
    cause: str
    fix: tuple[str, ...]


# The first that matches counts: what is precise stands before what is general.
SYMPTOMS = (
    Symptom(
        r"Cannot re-initialize CUDA in forked subprocess",
        "cuda_after_fork",
        "A process was forked from one that had already initialised CUDA, which cannot be shared.",
        (
            "# a fresh process for every job: the worker starts them so; restart it to get rid of the old ones",
            RESTART_TRAINING,
        ),
    ),
    Symptom(
        r"no kernel image is available",
        "card_not_in_torch",
        "Torch has no machine code for this card.",
        ("# names the torch release that has it:", EXAMINE),
    ),
    Symptom(
        r"driver on your system is too old|CUDA driver version is insufficient",
        "driver_too_old_for_torch",
        "The driver is older than the CUDA release torch is built for.",
        ("# names the torch release for this driver:", EXAMINE),
    ),
    Symptom(
        r"not compiled with CUDA enabled",
        "torch_without_cuda",
        "Torch is built without CUDA.",
        ("# names the torch release to install:", EXAMINE),
    ),
    Symptom(
        r"[Dd]river/library version mismatch|system has unsupported display driver / cuda driver combination",
        "driver_library_mismatch",
        "The loaded kernel module and the driver's libraries have different versions.",
        ("sudo reboot", "# if it is still there after that, a reboot does not help; this says what does:", EXAMINE),
    ),
    Symptom(
        r"unresolvable CDI devices|CDI device injection failed|failed to inject CDI devices",
        "stale_cdi",
        "Docker knows no such CDI device, or its specification no longer fits the driver.",
        ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml", "nvidia-ctk cdi list"),
    ),
    Symptom(
        r"bpf_prog_query.*operation not permitted",
        "rootless_docker",
        "Docker is rootless and may not write device rules.",
        ("sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place", "systemctl --user restart docker"),
    ),
    Symptom(
        r"could not select device driver",
        "container_toolkit_missing",
        "Docker has no NVIDIA Container Toolkit, or was not restarted since it was installed.",
        ("# tells the two apart:", EXAMINE),
    ),
    Symptom(
        r"forward compatibility was attempted on non supported",
        "forward_compatibility",
        "Forward-compatibility libraries (cuda-compat) are in use, and this card does not support them.",
        ("sudo apt-get purge 'cuda-compat-*'", "sudo ldconfig"),
    ),
    Symptom(
        r"system not yet initialized",
        "fabric_manager_missing",
        "The cards of this board need the fabric manager, of the driver's exact version.",
        ("sudo systemctl enable --now nvidia-fabricmanager",),
    ),
    Symptom(
        r"Bus error|out of shared memory|No space left on device.*(?:/dev/shm|torch_)",
        "shared_memory",
        "A data loader's worker ran out of /dev/shm.",
        (
            '# docker-compose.yml, service training: shm_size: "2gb"; then:',
            "docker compose up -d --force-recreate training",
        ),
    ),
    Symptom(
        r"GPU is lost|fallen off the bus",
        "gpu_lost",
        "The card has fallen off the PCI bus: power, cable, seat or heat.",
        ("sudo reboot",),
    ),
    Symptom(
        r"Failed to initialize NVML: Unknown Error",
        "gpu_lost_in_container",
        "The running container has lost its right to the GPU, as after systemctl daemon-reload on the host.",
        ("docker compose up -d --force-recreate training",),
    ),
    Symptom(
        r"CUDA error: (?!out of memory)|device-side assert|illegal memory access|unspecified launch failure"
        r"|CUBLAS_STATUS_(?!ALLOC)|CUDNN_STATUS_(?!ALLOC)",
        "cuda_context_poisoned",
        "After this CUDA error every further call of the same process fails: the process must end.",
        (RESTART_TRAINING, "# to see the line at fault, run it once more with CUDA_LAUNCH_BLOCKING=1"),
    ),
    Symptom(
        r"CUDA unknown error",
        "nvidia_uvm",
        "CUDA does not start though the driver answers: the module nvidia_uvm is missing or stuck.",
        ("sudo nvidia-modprobe -c 0 -u", "# after a suspend: sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm"),
    ),
)
IN_LOGS = ("cuda_after_fork", "cuda_context_poisoned", "shared_memory")
"""What only a log shows; everything else is seen better on the machine itself."""


def explain(text: str) -> Finding | None:
    """The finding a message stands for; None where it says nothing about the GPU that is known here."""
    return next((_finding(symptom, text) for symptom in SYMPTOMS if re.search(symptom.pattern, text)), None)


def explain_log(text: str, names: tuple[str, ...] = IN_LOGS) -> tuple[Finding, ...]:
    """Everything of these names that a log shows, each once."""
    wanted = (symptom for symptom in SYMPTOMS if symptom.name in names and re.search(symptom.pattern, text))
    return tuple(_finding(symptom, text) for symptom in wanted)


def _finding(symptom: Symptom, text: str) -> Finding:
    found = re.search(rf"[^\n]*(?:{symptom.pattern})[^\n]*", text)
    line = " ".join(found.group(0).split())[:300] if found else ""
    return Finding(symptom.name, "fault", line, symptom.cause, symptom.fix)
