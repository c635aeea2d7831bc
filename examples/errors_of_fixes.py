"""Errors and regions of fixes whose transmitters are known, file by file and over all files.

    heimdall locate test0.jsonl --model site0.heimdall --method learned --json > fixes0.json
    python examples/errors_of_fixes.py fixes0.json fixes1.json ...

`heimdall evaluate` compares methods for one model; this puts together what several models said, each about its own rows.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("fixes", type=Path, nargs="+")
    everything: list[dict[str, Any]] = []
    for path in parser.parse_args().fixes:
        truths = [fix["truth"] for fix in json.loads(path.read_text())["fixes"]]
        print(figures(path.name, truths))
        everything += truths
    print(figures("all", everything))


def figures(title: str, truths: list[dict[str, Any]]) -> str:
    median, q68, q90 = np.quantile([truth["error_m"] for truth in truths], [0.5, 0.68, 0.9])
    held_68, held_95 = (100 * np.mean([truth[name] for truth in truths]) for name in ("inside_68", "inside_95"))
    errors = f"median {median:.0f} m, 68 % {q68:.0f} m, 90 % {q90:.0f} m"
    return f"{title}: {errors}, held by the 68 / 95 % region {held_68:.1f} / {held_95:.1f} %, {len(truths)} rows"


if __name__ == "__main__":
    main()
