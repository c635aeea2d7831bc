"""Proves CUDA without any framework: the driver library alone, one kernel that stores a number, one JSON line.

The kernel is text that the driver compiles for whatever card is there, so no compiler and no torch is needed.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from typing import Any

ANSWER = 42
KERNEL = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry store_answer(.param .u64 out)
{
    .reg .u64 %rd<3>;
    .reg .u32 %r<2>;
    ld.param.u64 %rd1, [out];
    cvta.to.global.u64 %rd2, %rd1;
    mov.u32 %r1, 42;
    st.global.u32 [%rd2], %r1;
    ret;
}
"""


class RefusedError(Exception):
    def __init__(self, stage: str, code: int) -> None:
        super().__init__(stage)
        self.stage, self.code = stage, code


def main() -> int:
    started_s = time.monotonic()
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        print(json.dumps({"stage": "load", "code": None, "message": str(error)}))
        return 0
    try:
        device = _run(library)
        elapsed_s = round(time.monotonic() - started_s, 3)
        print(json.dumps({"stage": "done", "code": 0, "message": "", "device": device, "elapsed_s": elapsed_s}))
    except RefusedError as refused:
        print(json.dumps({"stage": refused.stage, "code": refused.code, "message": _name(library, refused.code)}))
    return 0


def _run(library: Any) -> str:
    """The name of the first device, once its kernel has stored the right number."""
    device, context, module = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
    function, memory, stored = ctypes.c_void_p(), ctypes.c_uint64(), ctypes.c_uint32()

    def call(name: str, *arguments: Any) -> None:
        code = getattr(library, name)(*arguments)
        if code != 0:
            raise RefusedError(name, code)

    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), 0)
    name = ctypes.create_string_buffer(128)
    call("cuDeviceGetName", name, len(name), device)
    call("cuCtxCreate_v2", ctypes.byref(context), 0, device)
    call("cuModuleLoadData", ctypes.byref(module), KERNEL)
    call("cuModuleGetFunction", ctypes.byref(function), module, b"store_answer")
    call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(4))
    pointers = (ctypes.c_void_p * 1)(ctypes.addressof(memory))
    call("cuLaunchKernel", function, 1, 1, 1, 1, 1, 1, 0, None, pointers, None)
    call("cuCtxSynchronize")
    call("cuMemcpyDtoH_v2", ctypes.byref(stored), memory, ctypes.c_size_t(4))
    call("cuCtxDestroy_v2", context)
    if stored.value != ANSWER:
        raise RefusedError("wrong result", stored.value)
    return name.value.decode("utf-8", "replace")


def _name(library: Any, code: int) -> str:
    text = ctypes.c_char_p()
    try:
        library.cuGetErrorName(code, ctypes.byref(text))
    except AttributeError:
        return ""
    return (text.value or b"").decode("utf-8", "replace")


if __name__ == "__main__":
    sys.exit(main())
