"""What NVML answers: real exceptions of nvidia-ml-py from a stand-in library, and the sentences of nvidia-smi."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heimdall.doctor.facts.driver import nvml
from heimdall.doctor.host import Host
from heimdall.doctor.program import run_program

pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")

STAND_IN = r"""
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
static int code(const char *name) { const char *text = getenv(name); return text ? atoi(text) : 0; }
static int text(char *out, unsigned size, const char *value) { snprintf(out, size, "%s", value); return 0; }
int nvmlInitWithFlags(unsigned flags) { return code("STAND_IN_INIT"); }
int nvmlInit(void) { return code("STAND_IN_INIT"); }
int nvmlInit_v2(void) { return code("STAND_IN_INIT"); }
const char *nvmlErrorString(int result) { return "stand-in error"; }
int nvmlSystemGetNVMLVersion(char *out, unsigned size) { return text(out, size, "12.570.195.03"); }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { return text(out, size, "570.195.03"); }
int nvmlSystemGetCudaDriverVersion(int *out) { *out = 12080; return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { *out = 12080; return 0; }
static int count(unsigned *out) { *out = code("STAND_IN_SECOND") ? 2 : 1; return 0; }
int nvmlDeviceGetCount(unsigned *out) { return count(out); }
int nvmlDeviceGetCount_v2(unsigned *out) { return count(out); }
static int handle(unsigned index, void **out) {
  *out = (void *)1; return code(index ? "STAND_IN_SECOND" : "STAND_IN_DEVICE"); }
int nvmlDeviceGetHandleByIndex(unsigned index, void **out) { return handle(index, out); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) { return handle(index, out); }
int nvmlDeviceGetName(void *device, char *out, unsigned size) { return text(out, size, "NVIDIA GeForce RTX 3090"); }
int nvmlDeviceGetUUID(void *device, char *out, unsigned size) { return text(out, size, "GPU-5d49bdf4"); }
struct memory { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(void *device, struct memory *out) { out->total = 24ull << 30; return code("STAND_IN_MEMORY"); }
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) { *major = 8; *minor = 6; return 0; }
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  *current = *pending = code("STAND_IN_MIG"); return code("STAND_IN_MIG") ? 0 : 3; }
int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *out) { *out = code("STAND_IN_MIG"); return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **out) { *out = (void *)2; return 0; }
"""


@pytest.fixture(scope="module")
def library(compile_library: Callable[[str, str], Path]) -> Path:
    return compile_library("libnvidia-ml.so.1", STAND_IN)


@pytest.fixture
def driver(library: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., nvml.Nvml]:
    """Asks nvidia-ml-py, in its subprocess, about a driver whose return codes are given."""

    def ask(**codes: int) -> nvml.Nvml:
        monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
        for name, code in codes.items():
            monkeypatch.setenv(f"STAND_IN_{name.upper()}", str(code))
        return nvml.ask(Host(run=run_program))

    return ask


def test_a_driver_that_works_names_its_versions_and_cards(driver: Callable[..., nvml.Nvml]) -> None:
    answer = driver()
    assert (answer.code, answer.source) == (nvml.OK, "nvidia-ml-py")
    assert (answer.library_version, answer.driver_version, answer.cuda_version) == ("570.195.03", "570.195.03", (12, 8))
    assert answer.gpus == (nvml.Gpu("NVIDIA GeForce RTX 3090", "GPU-5d49bdf4", 24 * 2**30, (8, 6)),)


def test_a_lost_card_does_not_silence_the_one_beside_it(driver: Callable[..., nvml.Nvml]) -> None:
    answer = driver(second=15)
    assert (answer.code, [gpu.uuid for gpu in answer.gpus], answer.refused) == (nvml.OK, ["GPU-5d49bdf4"], (15,))


@pytest.mark.parametrize("code", [4, 9, 12, 15, 16, 17, 18, 999])
def test_every_code_of_a_refused_start_comes_through_with_the_librarys_version(
    driver: Callable[..., nvml.Nvml], code: int
) -> None:
    """The library's version can be asked before it is initialised, which a mismatch never lets it be."""
    answer = driver(init=code)
    assert answer.code == code
    assert answer.library_version == "570.195.03"
    assert answer.gpus == ()


@pytest.mark.parametrize(("at", "code"), [("device", 15), ("memory", 16)])
def test_a_card_lost_after_the_start_is_heard_of(driver: Callable[..., nvml.Nvml], at: str, code: int) -> None:
    assert driver(**{at: code}).code == code


def test_what_a_card_does_not_support_is_left_out(driver: Callable[..., nvml.Nvml]) -> None:
    assert driver(memory=3).gpus[0].memory_bytes is None


def test_the_instances_of_a_divided_card_are_listed(driver: Callable[..., nvml.Nvml]) -> None:
    gpu = driver(mig=1).gpus[0]
    assert (gpu.mig, gpu.mig_uuids) == (True, ("GPU-5d49bdf4",))


def test_without_a_library_the_code_is_12(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if any(Path(folder, "libnvidia-ml.so.1").exists() for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64")):
        pytest.skip("this machine has an NVIDIA driver")
    assert nvml.ask(Host(run=run_program)).code == nvml.LIBRARY_NOT_FOUND


@pytest.mark.parametrize(
    ("said", "exit_code", "code"),
    [
        ("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.195", 18, 18),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure", 9, 9),
        ("Failed to initialize NVML: Unknown Error", 255, 999),
        ("Failed to initialize NVML: GPU access blocked by the operating system", 17, 17),
        ("Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.  Reboot the system", 15, 15),
        ("Unable to determine the device handle for GPU0000:01:00.0: Unknown Error", 255, 15),
        ("Failed to initialize NVML: Insufficient Permissions", 4, 4),
        ("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", 12, 12),
        ("No devices were found", 6, 0),
    ],
)
def test_the_sentences_of_nvidia_smi_stand_for_codes(bare: Any, said: str, exit_code: int, code: int) -> None:
    bare.says("ask_nvml.py", code=3)
    bare.says("nvidia-smi", said, code=exit_code)
    assert nvml.ask(bare.host()).code == code


def test_nvidia_smi_lists_the_cards_where_nvidia_ml_py_is_not_installed(bare: Any) -> None:
    bare.says("ask_nvml.py", code=3)
    bare.says("nvidia-smi", "NVIDIA A100-SXM4-80GB, GPU-1, 81920, 8.0, Enabled, 580.95.05\n")
    answer = nvml.ask(bare.host())
    assert answer.gpus == (nvml.Gpu("NVIDIA A100-SXM4-80GB", "GPU-1", 81920 * 2**20, (8, 0), True),)
    assert answer.driver_version == "580.95.05"


def test_a_tree_of_another_machine_is_not_mixed_with_this_machines_library(bare: Any) -> None:
    nvml.ask(Host(bare.root, bare.run, live=False))
    assert not any(line.startswith("ask_nvml.py") for line in bare.asked)


def test_a_driver_that_hangs_is_told_from_one_that_is_not_there(bare: Any) -> None:
    bare.silent("ask_nvml.py")
    assert nvml.ask(bare.host()).timed_out
    bare.without("ask_nvml.py")
    assert not nvml.ask(bare.host()).timed_out


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"code": 0, "message": "", "gpus": [{}]}', "null"])
def test_a_damaged_answer_is_no_answer(bare: Any, text: str) -> None:
    bare.says("ask_nvml.py", text)
    assert nvml.ask(bare.host()).code is None


def test_the_probe_runs_in_another_process(driver: Callable[..., nvml.Nvml]) -> None:
    """What a driver does to the process that loads its library must not happen to this one."""
    before = "pynvml" in sys.modules and getattr(sys.modules["pynvml"], "nvmlLib", None)
    driver()
    assert ("pynvml" in sys.modules and getattr(sys.modules["pynvml"], "nvmlLib", None)) is before
