"""From an error message to its cause: what a log, a job's error or Docker said, and which finding it stands for."""

from __future__ import annotations

import re

from heimdall.doctor.container_symptoms import CONTAINER_SYMPTOMS, EXAMINE, Symptom
from heimdall.doctor.finding import Finding

RESTART_TRAINING = "docker compose restart training"

# The first that matches counts: what is precise stands before what is general.
SYMPTOMS = (
    *CONTAINER_SYMPTOMS,
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
        r"could not select device driver \"?cdi\"?",
        "cdi_disabled",
        "CDI is turned off in this Docker: features.cdi in its daemon.json, on by default from 28.2.",
        (
            '# in /etc/docker/daemon.json: "features": {"cdi": true}; then:',
            "sudo systemctl restart docker",
        ),
    ),
    Symptom(
        r"no kernel image is available|is not compatible with the current PyTorch installation|supports CUDA capabilities sm_"
        r"|PyTorch no longer supports this GPU",
        "card_not_in_torch",
        "Torch has no machine code for this card.",
        ("# names the torch release that has it:", EXAMINE),
    ),
    Symptom(
        r"unsatisfied condition: cuda>=|driver on your system is too old|CUDA driver version is insufficient",
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
        r"NVRM: API mismatch|API mismatch: the client|[Dd]river/library version mismatch"
        r"|system has unsupported display driver / cuda driver combination",
        "driver_library_mismatch",
        "The loaded kernel module and the driver's libraries have different versions.",
        ("sudo reboot", "# if it is still there after that, a reboot does not help; this says what does:", EXAMINE),
    ),
    Symptom(
        r"/dev/nvidia-uvm[\w-]*\"?: no such file",
        "nvidia_uvm",
        "The device of unified memory (/dev/nvidia-uvm) is missing, and CUDA cannot start without it.",
        ("sudo nvidia-modprobe -c 0 -u", "docker compose up -d training"),
    ),
    Symptom(
        r"/dev/nvidia(?:\d+|ctl)\"?: no such file",
        "module_not_loaded",
        "The card's device files are missing: the nvidia kernel module is not loaded, or no card started.",
        ("# says why, and how to load it:", EXAMINE),
    ),
    Symptom(
        r"load library failed: lib(?:nvidia-ml|cuda)\.so\.1|couldn't find libnvidia-ml\.so"
        r"|lib(?:nvidia-ml|cuda)\.so\.1: cannot open shared object",
        "driver_not_installed",
        "The driver's libraries are not there for Docker: not installed on the host, or hidden from a Docker "
        "that is a snap or Docker Desktop.",
        ("# on the host, names which of these it is:", EXAMINE),
    ),
    Symptom(
        r"unresolvable CDI devices|CDI device injection failed|failed to inject CDI devices|failed to stat CDI host device"
        r"|(?:no such file or directory[^\n]*\n?[^\n]*|(?:mount|open|stat)[^\n]*)lib(?:EGL|GLX|GLESv2|cuda"
        r"|nvidia)[\w.-]*\.so\.\d[\d.]*[^\n]*no such file"
        r"|lib(?:EGL|GLX|GLESv2)_nvidia\.so\.\d[\d.]*: no such file",
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
        r"could not select device driver|unknown or invalid runtime name: nvidia"
        r"|exec: \"?nvidia-container-runtime\"?: executable file not found"
        r"|nvidia-container-runtime-hook\"?: (?:executable file not found|no such file)",
        "container_toolkit_missing",
        "Docker has no NVIDIA Container Toolkit, does not know its runtime, or was not restarted since it was installed.",
        ("# tells the two apart:", EXAMINE),
    ),
    Symptom(
        r"(?:Error |CUDA_ERROR_NOT_FOUND.*|error )500: named symbol not found|named symbol not found",
        "wsl",
        "In a container under WSL2 the Windows driver is newer than what Docker knows to pass on: update "
        "Docker Desktop or the toolkit.",
        (
            "# in Windows: update Docker Desktop (or nvidia-container-toolkit inside WSL), then in PowerShell:",
            "wsl.exe --update",
            "wsl.exe --shutdown",
        ),
    ),
    Symptom(
        r"device\(?s?\)? is/are busy or unavailable|all CUDA-capable devices are busy or unavailable"
        r"|CUDA_ERROR_DEVICE_UNAVAILABLE",
        "compute_mode",
        "Another program has the card for itself (exclusive compute mode), or a virtual GPU has no licence.",
        (
            "nvidia-smi -q | grep -iE 'compute mode|license status'",
            "# Exclusive_Process or Prohibited: sudo nvidia-smi -c DEFAULT",
            EXAMINE,
        ),
    ),
    Symptom(
        r"Found no NVIDIA driver on your system",
        "service_without_gpu",
        "The program sees no NVIDIA driver: its container was given no GPU, or none is loaded on the host.",
        ("# tells the two apart:", EXAMINE),
    ),
    Symptom(
        r"No CUDA GPUs are available|no CUDA-capable device is detected|CUDA_ERROR_NO_DEVICE",
        "environment",
        "The driver is there and shows this program no GPU: CUDA_VISIBLE_DEVICES or NVIDIA_VISIBLE_DEVICES "
        "hides it, or the card did not start.",
        ("# names the variable, or what keeps the card:", EXAMINE),
    ),
    Symptom(
        r"requires use of the NVIDIA open kernel modules|is not supported by open|does not include the required GPU",
        "wrong_module_flavour",
        "The card needs the other kind of kernel module: open from Blackwell on, proprietary before Turing.",
        ("# names the packages:", EXAMINE),
    ),
    Symptom(
        r"supported through the NVIDIA \d+\.\w+ Legacy",
        "legacy_card",
        "The installed driver branch no longer supports this card.",
        ("# names the branch that does:", EXAMINE),
    ),
    Symptom(
        r"insert '?nvidia\S*: (?:Exec format error|Invalid argument)|nvidia\S*: disagrees about version of symbol",
        "module_not_loaded",
        "The nvidia kernel module on disk was built for another kernel.",
        ("# says how to build it:", EXAMINE),
    ),
    Symptom(
        r"not supported by the\s*(?:[^\n]*NVRM:)?\s*NVIDIA \d[\d.]* driver release",
        "card_not_started",
        "The installed driver does not know this card: it is newer than the driver.",
        ("# names the driver that does:", EXAMINE),
    ),
    Symptom(
        r"insert '?nvidia\S*: No such device|probe routine was not called"
        r"|RmInitAdapter failed|rm_init_adapter failed|No devices were found|BAR\d is 0M"
        r"|PCI I/O region assigned to your NVIDIA device is invalid",
        "card_not_started",
        "The driver is loaded, but could not start the card; the kernel log says why.",
        ("sudo dmesg | grep NVRM | tail -n 40", EXAMINE),
    ),
    Symptom(
        r"Key was rejected by service|Loading of (?:module with unavailable key|unsigned module)|Required key not available"
        r"|unsigned module loading is restricted|PKCS#7 signature not signed with a trusted key",
        "secure_boot_refuses_module",
        "Secure Boot refuses the nvidia module, because the key it is signed with is not enrolled.",
        ("# names the key to enrol:", EXAMINE),
    ),
    Symptom(
        r"couldn't communicate with the NVIDIA driver|Driver Not Loaded|Module nvidia(?:-current)? not found in directory"
        r"|NVIDIA device files \(/dev/nvidia\*\) exist",
        "module_not_loaded",
        "The nvidia kernel module is not loaded.",
        ("# says why, and how to build or load it:", EXAMINE),
    ),
    Symptom(
        r"GPU access blocked by the operating system|blocked by the operating system",
        "wsl",
        "Windows does not hand its GPU to WSL2: its NVIDIA driver or WSL itself is too old.",
        ("# in PowerShell:", "wsl.exe --update", "wsl.exe --shutdown"),
    ),
    Symptom(
        r"avc:\s+denied[^\n]*nvidia|Insufficient Permissions",
        "device_permission",
        "The program may not open the GPU's device files.",
        ("ls -l /dev/nvidia0 /dev/nvidiactl /dev/nvidia-uvm", EXAMINE),
    ),
    Symptom(
        r"Failed to acquire license|License Status\s*:\s*Unlicensed",
        "vgpu_licence",
        "The virtual GPU (vGPU) has no licence.",
        ("nvidia-smi -q | grep -i license", EXAMINE),
    ),
    Symptom(
        r"forward compatibility was attempted on non supported",
        "forward_compatibility",
        "Forward-compatibility libraries (cuda-compat) are in use, and this card does not support them.",
        ("# names what to remove:", EXAMINE),
    ),
    Symptom(
        r"system not yet initialized|does not match fabric manager version",
        "fabric_manager_missing",
        "The cards of this board need the fabric manager, of the driver's exact version.",
        ("sudo systemctl enable --now nvidia-fabricmanager",),
    ),
    Symptom(
        r"[Bb]us error|out of shared memory|No space left on device.*(?:/dev/shm|torch_)",
        "shared_memory",
        "A data loader's worker ran out of /dev/shm.",
        (
            '# docker-compose.yml, service training: shm_size: "2gb"; then:',
            "docker compose up -d --force-recreate training",
        ),
    ),
    Symptom(
        r"[Dd]river is a stub library|CUDA_ERROR_STUB_LIBRARY|cudaErrorStubLibrary",
        "environment",
        "The program loads the CUDA toolkit's stand-in for libcuda (a folder stubs), which is there for linking only.",
        (
            "echo $LD_LIBRARY_PATH; grep -rn stubs /etc/ld.so.conf /etc/ld.so.conf.d",
            "# take every folder that ends in /stubs out of LD_LIBRARY_PATH and of the files that are named; then:",
            "sudo ldconfig",
        ),
    ),
    Symptom(
        r"GPU requires (?:a )?reset|Reset Required",
        "gpu_lost",
        "The GPU needs a reset.",
        ("# when no program uses the GPU any more:", "sudo nvidia-smi --gpu-reset"),
    ),
    Symptom(
        r"GPU is lost|fallen off the bus|determine the device handle for GPU",
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
        r"invalid device ordinal",
        "environment",
        "The program asked for a GPU by a number that it does not see.",
        ("nvidia-smi -L", "# CUDA_VISIBLE_DEVICES or HEIMDALL_GPU_IDS must name one of that list"),
    ),
    Symptom(
        r"CUDA error: uncorrectable ECC error",
        "gpu_xid",
        "The card's memory has an uncorrectable error (ECC).",
        (
            "nvidia-smi -q -d ECC,ROW_REMAPPER,PAGE_RETIREMENT",
            "# a reset or a reboot replaces the broken row; if it comes back, the card is to be replaced",
        ),
    ),
    Symptom(
        r"CUDA error: (?!out of memory|CUDA-capable device|unknown error)|device-side assert"
        r"|illegal memory access|unspecified launch failure"
        r"|CUBLAS_STATUS_(?!ALLOC)|CUDNN_STATUS_(?!ALLOC)",
        "cuda_context_poisoned",
        "After this CUDA error every further call of the same process fails: the process must end.",
        (RESTART_TRAINING, "# to see the line at fault, run it once more with CUDA_LAUNCH_BLOCKING=1"),
    ),
    Symptom(
        r"CUDA unknown error|CUDA_ERROR_UNKNOWN|CUDA error: unknown error",
        "nvidia_uvm",
        "CUDA does not start though the driver answers: the module nvidia_uvm is missing or stuck.",
        ("sudo nvidia-modprobe -c 0 -u", "# after a suspend: sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm"),
    ),
)
IN_LOGS = ("cuda_after_fork", "cuda_context_poisoned", "shared_memory")
"""What only a log shows; everything else is seen better on the machine itself."""


def explain(text: str) -> Finding | None:
    """The finding a message stands for; None where it says nothing about the GPU that is known here."""
    text = unwrapped(text)
    symptom = _first(text)
    return _finding(symptom, text) if symptom else None


LOG_PREFIX = r"(?:[^\n]{0,60}?kern(?:el)?: ?)?\s*(?:\w+: )?(?:\[[^\]\n]{0,40}\]:?\s*)?"
"""What syslog, journald and dmesg put before a line of the kernel's."""


def unwrapped(text: str) -> str:
    """A kernel's log with the driver's sentences on one line: a line that goes on begins with the same mark, in small letters."""
    return re.sub(rf"[ \t]*\n{LOG_PREFIX}NVRM:\s+(?=[a-z(])", " ", text)


def explain_log(text: str) -> tuple[Finding, ...]:
    """Everything of `IN_LOGS` that a log shows, each once; a line that something more precise explains is not of them."""
    shown = ((symptom, _line_of(symptom, text)) for symptom in SYMPTOMS if symptom.name in IN_LOGS)
    return tuple(_finding(symptom, line) for symptom, line in shown if line)


def _line_of(symptom: Symptom, text: str) -> str | None:
    lines = (line for line in text.splitlines() if re.search(symptom.pattern, line))
    return next((line for line in lines if _first(line) is symptom), None)


def _first(text: str) -> Symptom | None:
    return next((symptom for symptom in SYMPTOMS if re.search(symptom.pattern, text)), None)


def _finding(symptom: Symptom, text: str) -> Finding:
    found = re.search(rf"[^\n]*(?:{symptom.pattern})[^\n]*", text)
    line = " ".join(found.group(0).split())[:300] if found else ""
    return Finding(symptom.name, "fault", line, symptom.cause, symptom.fix)
