"""From an error message to its finding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdall.doctor import explain
from heimdall.doctor.finding import NAMES
from heimdall.doctor.symptoms import SYMPTOMS, explain_log

MESSAGES = [
    (
        "RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must",
        "cuda_after_fork",
    ),
    ("CUDA error: no kernel image is available for execution on the device", "card_not_in_torch"),
    ("UserWarning: The NVIDIA driver on your system is too old (found version 12080).", "driver_too_old_for_torch"),
    ("AssertionError: Torch not compiled with CUDA enabled", "torch_without_cuda"),
    ("Failed to initialize NVML: Driver/library version mismatch", "driver_library_mismatch"),
    (
        "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch",
        "driver_library_mismatch",
    ),
    ("Error 803: system has unsupported display driver / cuda driver combination", "driver_library_mismatch"),
    ("CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all", "stale_cdi"),
    (
        "failed to add device rules: bpf_prog_query(BPF_CGROUP_DEVICE) failed: operation not permitted: unknown",
        "rootless_docker",
    ),
    ('could not select device driver "nvidia" with capabilities: [[gpu]]', "container_toolkit_missing"),
    ("Error 804: forward compatibility was attempted on non supported HW", "forward_compatibility"),
    ("Error 802: system not yet initialized", "fabric_manager_missing"),
    ("RuntimeError: DataLoader worker (pid 71) is killed by signal: Bus error. It is possible", "shared_memory"),
    ("Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.", "gpu_lost"),
    ("Failed to initialize NVML: Unknown Error", "gpu_lost_in_container"),
    ("RuntimeError: CUDA error: device-side assert triggered", "cuda_context_poisoned"),
    ("torch.AcceleratorError: CUDA error: an illegal memory access was encountered", "cuda_context_poisoned"),
    ("RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "cuda_context_poisoned"),
    ("CUDA unknown error - this may be due to an incorrectly set up environment", "nvidia_uvm"),
    ('could not select device driver "cdi" with capabilities: []', "cdi_disabled"),
    ("RuntimeError: CUDA error: CUDA-capable device(s) is/are busy or unavailable", "compute_mode"),
    ("InternalError: Status: all CUDA-capable devices are busy or unavailable", "compute_mode"),
    ("NVRM: API mismatch: the client has the version 550.120, but", "driver_library_mismatch"),
    (
        "API mismatch: the client 'nvidia-smi' (pid 4242) NVRM: has the version 595.71.05, but this kernel "
        "module has the version 595.58.03.",
        "driver_library_mismatch",
    ),
    (
        "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch installation.",
        "card_not_in_torch",
    ),
    (
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
        "service_without_gpu",
    ),
    ("RuntimeError: No CUDA GPUs are available", "environment"),
    ("Error response from daemon: unknown or invalid runtime name: nvidia", "container_toolkit_missing"),
    (
        "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open "
        "shared object file: no such "
        "file or directory: unknown",
        "driver_not_installed",
    ),
    ('failed to stat CDI host device "/dev/nvidia-modeset": no such file or directory', "stale_cdi"),
    (
        "failed to fulfil mount request: open /usr/lib/x86_64-linux-gnu/libEGL_nvidia.so.570.133.07: no such file or directory",
        "stale_cdi",
    ),
    ("Unexpected error from cudaGetDeviceCount(). Error 500: named symbol not found", "wsl"),
    ("failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=all", "stale_cdi"),
    (
        "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).",
        "shared_memory",
    ),
    ("nvidia-smi: No devices were found", "card_not_started"),
    # The words of nvidia-container-cli, of its hook and of Docker 28 and newer, as public reports of them have them.
    ("nvidia-container-cli: device error: 1: unknown device: unknown", "environment"),
    ("nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown", "module_not_loaded"),
    ("nvidia-container-cli: initialization error: driver rpc error: timed out: unknown", "module_not_loaded"),
    ("nvidia-container-cli: initialization error: nvml error: insufficient permissions", "device_permission"),
    ("nvidia-container-cli: container error: cgroup subsystem devices not found", "container_toolkit_missing"),
    ("mount error: open failed: /sys/fs/cgroup/devices/a/devices.allow: permission denied", "rootless_docker"),
    ("ldcache error: open failed: /sbin/ldconfig.real: no such file or directory", "training_not_started"),
    ("initialization error: WSL environment detected but no adapters were found", "wsl"),
    ("mount error: file creation failed: /m/usr/lib/libnvidia-ml.so.1: file exists", "driver_library_mismatch"),
    ("invoking the NVIDIA Container Runtime Hook directly (e.g. specifying the docker --gpus flag)", "stale_cdi"),
    ("failed to discover GPU vendor from CDI: no known GPU vendor found", "container_toolkit_missing"),
    ("Error response from daemon: Unknown runtime specified nvidia", "container_toolkit_missing"),
    ("ImportError: libcuda.so.1: cannot open shared object file: No such file or directory", "driver_not_installed"),
    ("Unable to determine the device handle for GPU0000:01:00.0: Unknown Error", "gpu_lost"),
    ("RuntimeError: CUDA error: invalid device ordinal", "environment"),
    ("RuntimeError: CUDA error: uncorrectable ECC error encountered", "gpu_xid"),
    ("modprobe: ERROR: could not insert 'nvidia': Exec format error", "module_not_loaded"),
    ("modprobe: ERROR: could not insert 'nvidia': No such device", "card_not_started"),
    ("modprobe: FATAL: Module nvidia not found in directory /lib/modules/6.8.0-60-generic", "module_not_loaded"),
    ("kernel: Loading of unsigned module is rejected", "secure_boot_refuses_module"),
    (
        "NVRM: The NVIDIA GPU 0000:01:00.0 installed in this system is not supported by the NVIDIA 550.163.01 driver release.",
        "card_not_started",
    ),
    (
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update your driver",
        "driver_too_old_for_torch",
    ),
    ("cuInit: CUDA_ERROR_UNKNOWN", "nvidia_uvm"),
    ("RuntimeError: CUDA error: CUDA driver is a stub library", "environment"),
    ("Unable to determine the device handle for GPU 0000:01:00.0: GPU requires reset", "gpu_lost"),
    ("PyTorch no longer supports this GPU because it is too old.", "card_not_in_torch"),
    ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", "docker"),
    ("failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct", "docker"),
    ("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", "docker"),
    ("permission denied while trying to connect to the docker API at unix:///var/run/docker.sock", "docker"),
    (
        'error gathering device information while adding custom device "/dev/nvidia-uvm": no such file or directory',
        "nvidia_uvm",
    ),
    (
        'error gathering device information while adding custom device "/dev/nvidia0": no such file or directory',
        "module_not_loaded",
    ),
    (
        'failed to create shim task: error mounting "/usr/lib64/libEGL_nvidia.so.570.133.07": open: no such file or directory',
        "stale_cdi",
    ),
    ("modprobe: ERROR: could not insert 'nvidia': Key was rejected by service", "secure_boot_refuses_module"),
]


@pytest.mark.parametrize(("message", "name"), MESSAGES)
def test_a_message_stands_for_its_finding_with_a_fix(message: str, name: str) -> None:
    finding = explain(f"Traceback\n{message}\nmore")
    assert finding is not None
    assert finding.name == name
    assert finding.evidence == message
    assert finding.fix


@pytest.mark.parametrize(
    "message",
    [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "RuntimeError: CUDA error: out of memory",
        "RuntimeError: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate",
        "ValueError: bad recipe",
        "",
    ],
)
def test_what_is_no_fault_of_the_gpu_stands_for_nothing(message: str) -> None:
    """Out of memory leaves the context whole: the training goes on in smaller parts."""
    assert explain(message) is None


def test_both_lines_of_an_api_mismatch_are_its_evidence() -> None:
    """The kernel's log breaks the sentence; both versions stand in what was seen."""
    text = (
        "[   12.0] NVRM: API mismatch: the client 'nvidia-smi' (pid 4242)\n"
        "               NVRM: has the version 595.71.05, but this kernel module has\n"
        "               NVRM: the version 595.58.03.  Please make sure\n"
    )
    finding = explain(text)
    assert finding is not None
    assert finding.name == "driver_library_mismatch"
    assert "595.71.05" in finding.evidence
    assert "595.58.03" in finding.evidence


def test_every_symptom_names_a_finding_that_is_known() -> None:
    assert {symptom.name for symptom in SYMPTOMS} <= set(NAMES)


def test_a_log_shows_each_of_its_faults_once() -> None:
    log = "Bus error\nBus error\nCannot re-initialize CUDA in forked subprocess\ncould not select device driver\n"
    assert [finding.name for finding in explain_log(log)] == ["cuda_after_fork", "shared_memory"]


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: CUDA error: CUDA driver is a stub library",
        "RuntimeError: CUDA error: no kernel image is available for execution on the device",
        "RuntimeError: CUDA error: invalid device ordinal",
    ],
)
def test_a_line_of_a_log_that_has_a_cause_of_its_own_shows_no_poisoned_context(line: str) -> None:
    assert explain_log(f"{line}\n") == ()
    later = explain_log(f"{line}\nRuntimeError: CUDA error: device-side assert triggered\n")
    assert [(finding.name, finding.evidence) for finding in later] == [
        ("cuda_context_poisoned", "RuntimeError: CUDA error: device-side assert triggered")
    ]


@pytest.mark.parametrize(
    ("message", "command"),
    [
        ("GPU requires reset", "sudo nvidia-smi --gpu-reset"),
        ("CUDA error: CUDA driver is a stub library", "sudo ldconfig"),
        ("permission denied while trying to connect to the Docker daemon socket", "sudo usermod -aG docker $USER"),
        ("Cannot connect to the Docker daemon", "sudo systemctl start docker"),
    ],
)
def test_what_is_to_be_typed_is_of_that_cause(message: str, command: str) -> None:
    finding = explain(message)
    assert finding is not None
    assert command in finding.commands


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    finding = explain(text)
    assert finding is None or finding.name in NAMES
