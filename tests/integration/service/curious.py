"""A job's program that looks for a secret wherever a process can look, and writes down where it found it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

WORD = b"a-word-that-only-the-worker-knows"


def main() -> int:
    run = Path(sys.argv[sys.argv.index("--run-dir") + 1])
    file = Path(os.environ["CURIOUS_ABOUT"])
    places = [file, Path(f"/proc/self/root{file}"), *file.parent.glob("*")]
    others = [path for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid()]
    places += [Path("/proc/self/environ"), *(path / "environ" for path in others)]
    places += [path / "root" / str(file).lstrip("/") for path in others]
    made = run / "parts" / "own.txt"
    made.parent.mkdir()
    (run / "own.txt").write_text("written and read")
    os.rename(run / "own.txt", made)
    found = [str(place) for place in places if WORD in _content(place)]
    seen = {"looked_at": len(places), "found_in": found, "own_file": made.read_text()}
    (run / "seen.json").write_text(json.dumps(seen))
    (run / "result.json").write_text(json.dumps({"model": None, "scores": {}}))
    return 0


def _content(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main())
