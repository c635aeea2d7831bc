"""What Docker and the NVIDIA Container Toolkit say when a container cannot be given the GPU, and what it stands for."""

from __future__ import annotations

from dataclasses import dataclass

EXAMINE = "heimdall doctor"


@dataclass(frozen=True)
class Symptom:
    pattern: str
    name: str
    cause: str
    fix: tuple[str, ...]


# Sentences of nvidia-container-cli stand after its name; "initialization error" says that it could not ask the driver.
CONTAINER_SYMPTOMS = (
    Symptom(
        r"device error: \S+: unknown device",
        "environment",
        "A GPU was asked for by a number or UUID that this host does not have.",
        ("nvidia-smi -L", "# put a number or UUID of that list into HEIMDALL_GPU_IDS in .env; then:", "heimdall up"),
    ),
    Symptom(
        r"no adapters were found|driver error: failed to process request",
        "wsl",
        "Windows does not hand its GPU to WSL2: its NVIDIA driver or WSL itself is too old.",
        ("# in PowerShell:", "wsl.exe --update", "wsl.exe --shutdown"),
    ),
    Symptom(
        r"nvml error: driver not loaded|driver rpc error: (?:timed out|failed)",
        "module_not_loaded",
        "The driver does not answer the container toolkit: its kernel module is not loaded, or hangs.",
        ("# says why, and how to load it:", EXAMINE),
    ),
    Symptom(
        r"nvml error: insufficient permissions",
        "device_permission",
        "The container toolkit may not open the GPU's device files.",
        ("ls -l /dev/nvidia0 /dev/nvidiactl /dev/nvidia-uvm", EXAMINE),
    ),
    Symptom(
        r"file creation failed: \S*/lib(?:nvidia|cuda)\S*: file exists|lib(?:nvidia|cuda)[\w.-]*\.so\.1: file exists",
        "driver_library_mismatch",
        "The image brings libraries of a driver of its own, where the toolkit wants to put the host's.",
        (
            "# take nvidia-utils, libnvidia-* and cuda-drivers out of the image's Dockerfile, then:",
            "docker compose build training",
            "docker compose up -d --force-recreate training",
        ),
    ),
    Symptom(
        r"cgroup subsystem devices not found",
        "container_toolkit_missing",
        "The NVIDIA Container Toolkit is older than this system's control groups (cgroup v2): 1.8 and newer know them.",
        ("# update nvidia-container-toolkit; the packages to take are named by:", EXAMINE),
    ),
    Symptom(
        r"/sys/fs/cgroup/devices/\S*devices\.allow: permission denied",
        "rootless_docker",
        "Docker may not write device rules: it is rootless, or runs in a container itself.",
        ("sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place", "# then restart Docker"),
    ),
    Symptom(
        r"ldcache error: (?:open failed: \S*ldconfig|process \S*ldconfig)",
        "training_not_started",
        "The NVIDIA Container Toolkit is set up for another distribution: the ldconfig that its configuration names "
        "does not work here.",
        (
            "ls -l /sbin/ldconfig /sbin/ldconfig.real",
            "grep -n ldconfig /etc/nvidia-container-runtime/config.toml",
            EXAMINE,
        ),
    ),
    Symptom(
        r"invoking the NVIDIA Container Runtime Hook directly",
        "stale_cdi",
        "The toolkit is set to CDI (mode in its config.toml), which a plain reservation does not go through.",
        (
            "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
            "HEIMDALL_ACCELERATOR=gpu-cdi docker compose up -d training",
        ),
    ),
    Symptom(
        r"failed to discover GPU vendor from CDI|no known GPU vendor found",
        "container_toolkit_missing",
        "Docker finds neither the NVIDIA Container Toolkit nor a CDI specification of a GPU.",
        ("# tells the two apart:", EXAMINE),
    ),
    Symptom(
        r"[Uu]nknown runtime specified nvidia",
        "container_toolkit_missing",
        "Docker knows no runtime nvidia: the NVIDIA Container Toolkit is missing, or Docker was not restarted since.",
        ("# tells the two apart:", EXAMINE),
    ),
    Symptom(
        r"stat [`'\"]?/dev/nvidia-(?:modeset|caps)\S*: [Nn]o such file",
        "stale_cdi",
        "The CDI specification names a device file that this host no longer has.",
        ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml", "nvidia-ctk cdi list"),
    ),
    Symptom(
        r"permission denied while trying to connect to the [Dd]ocker",
        "docker",
        "This user may not ask Docker: it is not in the group docker.",
        ("sudo usermod -aG docker $USER", "# log in again"),
    ),
    Symptom(
        r"Cannot connect to the Docker daemon|failed to connect to the docker API",
        "docker",
        "Docker does not answer: it is not started, or the command asks another one than this host's.",
        ("sudo systemctl start docker", "# if it runs: docker context ls, and DOCKER_HOST, say which Docker is asked"),
    ),
)
