"""A training that costs nothing and keeps the run folder's contract: a counter whose weights are a chain of hashes.

Takes the command line of `heimdall train`; the overrides `steps`, `step_s`, `every` (steps a checkpoint), `exit` (code to
end with at half way), `stubborn` (ignore SIGTERM) and `child` (start a process that outlives its parent) steer it. Every
step is one line in `trace.txt`, by which a test sees whether two processes ever ran at once. A call without `step_s` is
passed on to the real program.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def main() -> int:
    if not any(argument.startswith("step_s=") for argument in sys.argv) and "STANDIN_OR_REAL" in os.environ:
        os.execv(sys.executable, [sys.executable, "-m", "heimdall", *sys.argv[1:]])
    options = _parse()
    run, given = options.run_dir, dict(item.split("=", 1) for item in options.set)
    if (run / "result.json").exists():
        return 0
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    steps, every = int(given.get("steps", 20)), int(given.get("every", 3))
    step, weights = _load(run) if options.resume else (0, "seed")
    if "child" in given:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", str(run)])
    while step < steps:
        step, weights = step + 1, hashlib.sha256(f"{weights}{step + 1}".encode()).hexdigest()
        _trace(run, step)
        time.sleep(float(given.get("step_s", 0.02)))
        _tell(run, step, steps, options.accelerator)
        if step % every == 0 or (stop and "stubborn" not in given):
            _save(run, step, weights)
        if stop and "stubborn" not in given:
            return 75
        if "exit" in given and step >= steps // 2:
            print(f"heimdall: told to end with {given['exit']}", file=sys.stderr)
            return int(given["exit"])
    (run / "counter.heimdall").write_text(weights)
    _write(run / "result.json", {"model": "counter.heimdall", "scores": {"median_m": 1.5, "diverged": float("nan")}})
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind")
    parser.add_argument("--recipe")
    parser.add_argument("--accelerator")
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--init", type=Path)
    parser.add_argument("--set", action="append", default=[])
    return parser.parse_args()


def _load(run: Path) -> tuple[int, str]:
    path = run / "checkpoints" / "last.ckpt"
    if not path.exists():
        return 0, "seed"
    saved = json.loads(path.read_text())
    return saved["step"], saved["weights"]


def _save(run: Path, step: int, weights: str) -> None:
    (run / "checkpoints").mkdir(exist_ok=True)
    _write(run / "checkpoints" / "last.ckpt", {"step": step, "weights": weights})


def _trace(run: Path, step: int) -> None:
    line = f"{os.getpid()} {step} {time.monotonic()}\n"
    traces = [run / "trace.txt"]
    if "STANDIN_TRACES" in os.environ:  # a folder where one machine's steps do not go away with its run folder
        traces.append(Path(os.environ["STANDIN_TRACES"]) / run.name)
    for path in traces:
        with path.open("a") as file:
            file.write(line)


def _tell(run: Path, step: int, steps: int, accelerator: str) -> None:
    used: dict[str, Any] = {"requested": accelerator, "used": "cpu", "reason": None, "device": "stand-in"}
    document = {"step": step, "steps_total": steps, "fraction": step / steps, "loss": 1 / step, "phase": "train"}
    _write(run / "progress.json", document | {"accelerator": used, "eta_s": None})
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "loss": 1 / step}) + "\n")
    print(f"step {step}", flush=True)


def _write(path: Path, document: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.new")
    temporary.write_text(json.dumps(document))
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
