"""Heimdall starts itself from any directory, whatever files are called there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from heimdall.execution.own_program import HEIMDALL


def test_a_file_of_the_current_directory_is_never_taken_for_a_library(tmp_path: Path) -> None:
    """A `six.py` in the directory that `heimdall serve` is started in must not end its worker."""
    for name in ("numpy", "six", "typer"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for a library')")
    done = subprocess.run(
        [*HEIMDALL, "locate", "nowhere.jsonl"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nowhere.jsonl" in done.stderr
    assert "taken for a library" not in done.stderr
