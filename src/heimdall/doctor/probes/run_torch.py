"""Proves CUDA through torch: one kernel, one JSON line. Exit 3 where torch is not installed."""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

COUNT = 1024


def main() -> int:
    started_s = time.monotonic()
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        try:
            import torch
        except ImportError:
            return 3
        answer = _answer(torch)
    said = [str(remark.message) for remark in remarks]
    message = answer["message"] or " ".join(said if not answer["done"] else [])
    print(json.dumps({**answer, "message": message, "elapsed_s": round(time.monotonic() - started_s, 3)}))
    return 0


def _answer(torch: Any) -> dict[str, Any]:
    answer = {"version": str(torch.__version__), "cuda": torch.version.cuda, "done": False, "message": ""}
    try:
        if torch.cuda.is_available():
            total = int(torch.arange(COUNT, device="cuda").sum())
            answer["done"] = total == COUNT * (COUNT - 1) // 2
            answer["device"] = torch.cuda.get_device_name(0)
    except Exception as error:
        # The edge of a process: whatever torch raises is the answer.
        answer["message"] = f"{type(error).__name__}: {error}"
    return answer


if __name__ == "__main__":
    sys.exit(main())
