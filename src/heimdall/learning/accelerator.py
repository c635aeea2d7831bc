"""Which device a training runs on, and why: decided here and nowhere else."""

from __future__ import annotations

import logging
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from heimdall.errors import HeimdallError, InputError

log = logging.getLogger(__name__)

_REQUESTS = ("auto", "gpu", "cpu")

# Asks NVML instead of making a CUDA context: the process stays able to fork, and the card keeps its memory.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")


@dataclass(frozen=True)
class Accelerator:
    """The decision, in the words of every run record."""

    requested: str
    """auto, gpu or cpu."""
    used: Literal["gpu", "cpu"]
    reason: str | None
    """Why the GPU is not used; None where it is, or where nobody asked for it."""
    device: str
    precision: str
    count: int = 1

    @property
    def torch_device(self) -> torch.device:
        return torch.device("cuda" if self.used == "gpu" else "cpu")

    @property
    def record(self) -> dict[str, str | None]:
        return {
            "requested": self.requested,
            "used": self.used,
            "reason": self.reason,
            "device": self.device,
            "precision": self.precision,
        }


def resolve(
    requested: str, *, require_gpu: bool = False, count: int = 1, gpu_precision: str = "bf16-mixed"
) -> Accelerator:
    """The GPU if one is asked for and a kernel runs on it; otherwise the CPU, with one warning that carries the reason.

    Raises HeimdallError instead of that warning with `require_gpu`.
    """
    if requested not in _REQUESTS:
        raise InputError(f"there is no accelerator named {requested!r}; choose one of: {', '.join(_REQUESTS)}")
    if requested == "cpu" and require_gpu:
        raise InputError("--require-gpu contradicts --accelerator cpu; leave one of them out")
    reason = None if requested == "cpu" else _why_no_gpu(count)
    if requested != "cpu" and reason is None:
        return Accelerator(requested, "gpu", None, torch.cuda.get_device_name(0), _precision(gpu_precision), count)
    if reason is not None and require_gpu:
        raise HeimdallError(f"no usable GPU: {reason}")
    if reason is not None:
        log.warning("training on the CPU: %s", reason)
    return Accelerator(requested, "cpu", reason, _cpu_name(), "32-true", count)


def left_to(requested: str, where: str) -> Accelerator:
    """The record of a training until the machines that do it have told what they use."""
    if requested not in _REQUESTS:
        raise InputError(f"there is no accelerator named {requested!r}; choose one of: {', '.join(_REQUESTS)}")
    return Accelerator(requested, "cpu", None, where, "32-true")


def _why_no_gpu(count: int) -> str | None:
    """None where the GPU does real work; else the doctor's reason, or at least torch's."""
    if not torch.cuda.is_available():
        return _doctors_reason() or "torch finds no CUDA device"
    if torch.cuda.device_count() < count:
        return f"{count} GPUs are asked for and {torch.cuda.device_count()} are there"
    failure = _kernel_failure()
    return None if failure is None else _doctors_reason() or failure


def _kernel_failure() -> str | None:
    """NVML can be healthy where CUDA is not, so nothing but a kernel with the right result counts."""
    try:
        ones = torch.ones(64, 64, device="cuda")
        total = float((ones @ ones).sum())
    except RuntimeError as error:
        return f"a kernel failed on the GPU: {' '.join(str(error).split())[:300]}"
    return None if total == 64.0**3 else f"a kernel gave a wrong result on the GPU: {total}"


def _doctors_reason() -> str | None:
    from heimdall.doctor import accelerator_reason

    # The service's worker tells what it knows of the host; a container by itself sees only that it was given no GPU.
    return os.environ.get("HEIMDALL_GPU_REASON") or accelerator_reason()


def _precision(wanted: str) -> str:
    """Half precision with 8 exponent bits needs an Ampere or later; before that, 16 bits with loss scaling are not used."""
    return wanted if wanted != "bf16-mixed" or torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()} ({torch.get_num_threads()} threads)"
