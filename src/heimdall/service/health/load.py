"""How busy a machine is: memory, processors, and each GPU with its temperature."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

_EVERY_S = 5.0
Load = dict[str, Any]


class LoadWatch(threading.Thread):
    """Looks now and then in a thread of its own: a driver that hangs must not stop anybody else."""

    def __init__(self, with_gpu: bool) -> None:
        super().__init__(name="load-watch", daemon=True)
        self._with_gpu = with_gpu
        self._stop_asked = threading.Event()
        self.last: Load | None = None

    def run(self) -> None:
        while not self._stop_asked.is_set():
            self.last = look(with_gpu=self._with_gpu)
            self._stop_asked.wait(_EVERY_S)

    def stop(self) -> None:
        self._stop_asked.set()


def look(*, with_gpu: bool, root: Path = Path("/")) -> Load:
    """Bytes, shares 0 to 1, degrees Celsius; `gpus` is empty where there is none to ask."""
    total, available = _memory(root / "proc/meminfo")
    return {
        "memory_total_bytes": total,
        "memory_used_bytes": total - available,
        "processors": os.cpu_count() or 1,
        "load_1min": os.getloadavg()[0],
        "gpus": _gpus() if with_gpu else [],
    }


def memory_limit_gb(root: Path = Path("/")) -> float | None:
    """Main memory that this process may take: the machine's, or less where its container is bounded."""
    machine_bytes = _memory(root / "proc/meminfo")[0]
    bounds = [_bound(root / "sys/fs/cgroup" / name) for name in ("memory.max", "memory/memory.limit_in_bytes")]
    known = [bound for bound in (machine_bytes, *bounds) if bound]
    return round(min(known) / 1e9, 2) if known else None


def _bound(path: Path) -> int:
    """Bytes; 0 where there is no bound."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max"
        return 0


def _memory(path: Path) -> tuple[int, int]:
    """Total and available, in bytes; 0 where the kernel does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        return tuple(int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))  # type: ignore[return-value]
    except (OSError, KeyError, ValueError, IndexError):
        return 0, 0


def _gpus() -> list[Load]:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _gpu(pynvml: Any, index: int) -> Load:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    name = pynvml.nvmlDeviceGetName(handle)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return {
        "name": name.decode() if isinstance(name, bytes) else str(name),
        "memory_total_bytes": int(memory.total),
        "memory_used_bytes": int(memory.used),
        "busy": pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
        "temperature_c": int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
    }
