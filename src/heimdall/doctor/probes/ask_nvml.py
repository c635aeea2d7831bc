"""Prints what NVML says as one JSON line: code 0 and the cards, or the code and name of its error.

Exit 3 where nvidia-ml-py is not installed.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from typing import Any


def main() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pynvml
        except ImportError:
            return 3
    print(json.dumps(_answer(pynvml)))
    return 0


def _answer(pynvml: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"gpus": []}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return {**answer, **_fault(error), "library": _library_version(pynvml)}
    answer |= {"code": 0, "message": "", "library": _library_version(pynvml)}
    try:
        answer["driver"] = _text(pynvml.nvmlSystemGetDriverVersion())
        with contextlib.suppress(pynvml.NVMLError):
            answer["cuda"] = pynvml.nvmlSystemGetCudaDriverVersion()
        faults = _ask_each(pynvml, answer["gpus"])
    except pynvml.NVMLError as error:
        return answer | _fault(error)
    # One card that is lost says nothing about the others; where none answers, what the last one said counts.
    if faults and not answer["gpus"]:
        return answer | faults[-1]
    return answer | {"refused": [fault["code"] for fault in faults]}


def _ask_each(pynvml: Any, gpus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds the cards that answer; returns what the others said."""
    faults = []
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            gpus.append(_gpu(pynvml, pynvml.nvmlDeviceGetHandleByIndex(index)))
        except pynvml.NVMLError as error:
            faults.append(_fault(error))
    return faults


def _gpu(pynvml: Any, handle: Any) -> dict[str, Any]:
    return {
        "name": _text(pynvml.nvmlDeviceGetName(handle)),
        "uuid": _text(_or_none(pynvml, pynvml.nvmlDeviceGetUUID, handle)),
        "memory_bytes": getattr(_or_none(pynvml, pynvml.nvmlDeviceGetMemoryInfo, handle), "total", None),
        "capability": _or_none(pynvml, pynvml.nvmlDeviceGetCudaComputeCapability, handle),
        "mig": bool((_or_none(pynvml, pynvml.nvmlDeviceGetMigMode, handle) or [0])[0]),
        "mig_uuids": _instances(pynvml, handle),
    }


def _instances(pynvml: Any, handle: Any) -> list[str]:
    uuids = []
    for index in range(_or_none(pynvml, pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        with contextlib.suppress(pynvml.NVMLError):
            instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
            uuids.append(_text(pynvml.nvmlDeviceGetUUID(instance)))
    return uuids


def _or_none(pynvml: Any, ask: Any, handle: Any) -> Any:
    # A lost card must be heard of; what a card merely does not support is not worth a word.
    try:
        return ask(handle)
    except pynvml.NVMLError as error:
        if error.value in (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED):
            raise
        return None


def _library_version(pynvml: Any) -> str | None:
    try:
        return _text(pynvml.nvmlSystemGetNVMLVersion())
    except pynvml.NVMLError:
        return None


def _fault(error: Any) -> dict[str, Any]:
    return {"code": error.value, "message": str(error)}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


if __name__ == "__main__":
    sys.exit(main())
