"""What a card says of itself stands in the record, and what CUDA says at the end becomes a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdall.learning.run import gpu_record
from heimdall.learning.run.gpu_record import COUNTERS, counters, failure

ILLEGAL = RuntimeError(
    "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be reported later"
)


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name that is alone on the PATH."""
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


def _says(program: Path, *lines: str, code: int = 0) -> None:
    said = "".join(f"echo '{line}'\n" for line in lines)
    program.write_text(
        f'#!/bin/sh\n[ "$1" = "--query-gpu={",".join(COUNTERS.values())}" ] || exit 6\n{said}exit {code}\n'
    )
    program.chmod(0o755)


def test_each_card_has_its_counters_and_what_it_lacks_is_none(smi: Path) -> None:
    _says(smi, "GPU-1, 570.195.03, 45, 310.52, 97, 2050, 24576, [N/A]", "GPU-2, 570.195.03, 30, 21.00, 0, 1, 24576, 2")
    first, second = counters() or []
    assert (first["uuid"], first["driver_version"], first["utilisation_percent"]) == ("GPU-1", "570.195.03", 97.0)
    assert (first["power_w"], first["ecc_errors_uncorrected"]) == (310.52, None)
    assert (second["memory_used_mib"], second["ecc_errors_uncorrected"]) == (1.0, 2.0)


def test_without_an_answer_there_are_none(smi: Path) -> None:
    assert counters() is None
    _says(smi, "Failed to initialize NVML: Driver/library version mismatch", code=18)
    assert counters() is None
    _says(smi, "No devices were found")
    assert counters() is None


def test_an_error_of_cuda_becomes_a_sentence_with_the_way_on(tmp_path: Path) -> None:
    said = str(failure(ILLEGAL, tmp_path, on_gpu=False))
    assert said.startswith("the GPU failed during the training (CUDA error: an illegal memory access was encountered)")
    assert "every further call of the same process fails" in said
    assert said.endswith(f"go on with: heimdall train --resume {tmp_path}")


def test_the_driver_tells_a_card_that_has_gone_from_a_fault_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        gpu_record, "accelerator_reason", lambda: "The card has fallen off the PCI bus. Type: sudo reboot"
    )
    said = str(failure(RuntimeError("CUDA error: unspecified launch failure"), tmp_path, on_gpu=True))
    assert "unspecified launch failure): The card has fallen off the PCI bus. Type: sudo reboot" in said


@pytest.mark.parametrize("words", ["mat1 and mat2 shapes cannot be multiplied", "DataLoader worker: Bus error", ""])
def test_other_errors_stay_what_they_are(tmp_path: Path, words: str) -> None:
    assert failure(RuntimeError(words), tmp_path, on_gpu=True) is None
