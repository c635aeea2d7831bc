"""CUDA proved by a kernel: first by the driver library alone, then through torch, each in a subprocess with a time limit."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heimdall.doctor.host import Host
from heimdall.doctor.program import ProgramOutput

DRIVER_PROBE = Path(__file__).parents[1] / "probes" / "run_cuda.py"
TORCH_PROBE = Path(__file__).parents[1] / "probes" / "run_torch.py"
DRIVER_LIMIT_S = 30.0
TORCH_LIMIT_S = 60.0

NOT_READY = 802
DRIVER_MISMATCH = 803
COMPAT_NOT_SUPPORTED = 804
UNKNOWN = 999


@dataclass(frozen=True)
class Proof:
    """`done` only where a kernel gave the right number. `code` is CUDA's own, where there is one."""

    by: str
    done: bool
    code: int | None = None
    message: str = ""
    device: str = ""
    elapsed_s: float = 0.0
    asked: bool = True

    @property
    def evidence(self) -> str:
        if self.done:
            return f"{self.by}: a kernel ran on {self.device} in {self.elapsed_s:.1f} s"
        code = f"error {self.code} " if self.code is not None else ""
        return f"{self.by}: {code}{self.message}".strip()


NOT_TRIED = Proof("", False, message="not tried: this is a glance", asked=False)


def prove_driver(host: Host) -> Proof:
    """Without any framework; not asked where the root is another machine's."""
    by = "the CUDA driver library"
    if not host.live:
        return Proof(by, False, message="not asked: the examined tree is not this machine", asked=False)
    answer = host.run([sys.executable or "python3", str(DRIVER_PROBE)], DRIVER_LIMIT_S)
    document = _document(answer)
    if not document:
        return Proof(by, False, message=answer.stderr or f"the probe ended with {answer.code}")
    stage, code, message = document["stage"], document["code"], document["message"]
    said = message if stage in ("done", "load") else f"{message} in {stage}".strip()
    return Proof(by, stage == "done", code, said, document.get("device", ""), document.get("elapsed_s", 0.0))


def prove_torch(host: Host) -> Proof | None:
    """None where torch is not installed beside this interpreter."""
    if not host.live:
        return None
    answer = host.run([sys.executable or "python3", str(TORCH_PROBE)], TORCH_LIMIT_S)
    document = _document(answer)
    if answer.code == 3:
        return None
    if not document:
        return Proof("torch", False, message=answer.stderr.strip()[-400:] or f"the probe ended with {answer.code}")
    by = f"torch {document['version']}"
    message = document["message"] or ("" if document["done"] else "torch.cuda.is_available() is False")
    return Proof(by, document["done"], None, message, document.get("device", ""), document.get("elapsed_s", 0.0))


def _document(answer: ProgramOutput) -> dict[str, Any]:
    # Libraries may print before the answer; it is the last line.
    try:
        document = json.loads(answer.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return document if isinstance(document, dict) else {}
