"""CUDA proved by a kernel: the probes against a stand-in driver library, and what is made of their answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heimdall.doctor.facts import proof
from heimdall.doctor.host import Host
from heimdall.doctor.program import run_program

STAND_IN = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static uint64_t memory = 7;
static uint32_t stored = 0;
static int code(const char *stage) {
  const char *where = getenv("STAND_IN_STAGE"), *what = getenv("STAND_IN_CODE");
  return where && !strcmp(where, stage) ? atoi(what) : 0; }
int cuInit(unsigned flags) { return code("cuInit"); }
int cuDeviceGet(int *device, int ordinal) { *device = 0; return code("cuDeviceGet"); }
int cuDeviceGetName(char *out, int size, int device) { snprintf(out, size, "Stand-in GPU"); return 0; }
int cuCtxCreate_v2(void **context, unsigned flags, int device) { *context = &memory; return code("cuCtxCreate_v2"); }
int cuCtxDestroy_v2(void *context) { return context == &memory ? 0 : 201; }
int cuModuleLoadData(void **module, const char *image) {
  *module = &memory; return strstr(image, ".entry store_answer") ? code("cuModuleLoadData") : 218; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
  *function = &stored; return strcmp(name, "store_answer") ? 500 : 0; }
int cuMemAlloc_v2(uint64_t *pointer, size_t size) { *pointer = memory; return size == 4 ? 0 : 1; }
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **arguments, void **extra) {
  if (*(uint64_t *)arguments[0] != memory) return 1;
  stored = getenv("STAND_IN_ANSWER") ? atoi(getenv("STAND_IN_ANSWER")) : 42;
  return code("cuLaunchKernel"); }
int cuCtxSynchronize(void) { return code("cuCtxSynchronize"); }
int cuMemcpyDtoH_v2(void *out, uint64_t pointer, size_t size) { memcpy(out, &stored, size); return pointer == memory ? 0 : 1; }
int cuGetErrorName(int error, const char **name) { *name = "CUDA_ERROR_OF_THE_STAND_IN"; return 0; }
"""


@pytest.fixture(scope="module")
def library(compile_library: Callable[[str, str], Path]) -> Path:
    return compile_library("libcuda.so.1", STAND_IN)


@pytest.fixture
def prove(library: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., proof.Proof]:
    def run(stage: str = "", code: int = 0, answer: int = 42) -> proof.Proof:
        monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
        monkeypatch.setenv("STAND_IN_STAGE", stage)
        monkeypatch.setenv("STAND_IN_CODE", str(code))
        monkeypatch.setenv("STAND_IN_ANSWER", str(answer))
        return proof.prove_driver(Host(run=run_program))

    return run


def test_a_kernel_that_stores_the_right_number_is_the_proof(prove: Callable[..., proof.Proof]) -> None:
    shown = prove()
    assert (shown.done, shown.code, shown.device) == (True, 0, "Stand-in GPU")


def test_a_wrong_number_is_no_proof(prove: Callable[..., proof.Proof]) -> None:
    assert not prove(answer=41).done


@pytest.mark.parametrize("code", [100, 802, 803, 804, 999])
def test_the_code_of_a_refused_start_comes_through(prove: Callable[..., proof.Proof], code: int) -> None:
    shown = prove("cuInit", code)
    assert (shown.done, shown.code) == (False, code)
    assert "CUDA_ERROR_OF_THE_STAND_IN in cuInit" in shown.evidence


@pytest.mark.parametrize(
    "stage", ["cuDeviceGet", "cuCtxCreate_v2", "cuModuleLoadData", "cuLaunchKernel", "cuCtxSynchronize"]
)
def test_a_failure_at_any_later_stage_is_no_proof(prove: Callable[..., proof.Proof], stage: str) -> None:
    shown = prove(stage, 2)
    assert (shown.done, shown.code) == (False, 2)
    assert stage in shown.message


def test_a_machine_without_the_library_says_so(bare: Any) -> None:
    bare.says("run_cuda.py", {"stage": "load", "code": None, "message": "libcuda.so.1: cannot open shared object file"})
    shown = proof.prove_driver(bare.host())
    assert (shown.done, shown.code) == (False, None)
    assert "libcuda.so.1" in shown.message


def test_a_probe_that_hangs_is_no_proof(bare: Any) -> None:
    bare.silent("run_cuda.py")
    shown = proof.prove_driver(bare.host())
    assert not shown.done
    assert "did not answer" in shown.evidence


def test_another_machines_tree_proves_nothing_about_cuda(bare: Any) -> None:
    shown = proof.prove_driver(Host(bare.root, bare.run, live=False))
    assert (shown.done, shown.asked, bare.asked) == (False, False, [])


def test_torch_that_is_not_installed_gives_no_proof_at_all(bare: Any) -> None:
    bare.says("run_torch.py", code=3)
    assert proof.prove_torch(bare.host()) is None


def test_torch_that_only_warns_is_no_proof_and_its_warning_is_kept(bare: Any) -> None:
    warning = "CUDA initialization: The NVIDIA driver on your system is too old (found version 12080)."
    bare.says(
        "run_torch.py", {"version": "2.14.1+cu130", "cuda": "13.0", "done": False, "message": warning, "elapsed_s": 3}
    )
    shown = proof.prove_torch(bare.host())
    assert shown is not None
    assert (shown.done, shown.message) == (False, warning)


def test_what_a_library_prints_before_the_answer_is_skipped(bare: Any) -> None:
    bare.says("run_cuda.py", 'a banner\n{"stage": "cuInit", "code": 803, "message": "X"}\n')
    assert proof.prove_driver(bare.host()).code == 803


def test_the_probe_of_torch_reports_a_torch_that_raises(tmp_path: Path) -> None:
    """Against a torch of our own whose device fails as after a poisoned context."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        "class cuda:\n    is_available = staticmethod(lambda: True)\n"
        "class version:\n    cuda = '13.0'\n__version__ = '9.9'\n"
        "def arange(*a, **k):\n    raise RuntimeError('CUDA error: no kernel image is available')\n"
    )
    probe = str(proof.TORCH_PROBE)
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    answer = subprocess.run(
        [sys.executable, probe], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert "RuntimeError: CUDA error: no kernel image is available" in answer.stdout
    assert '"done": false' in answer.stdout
