"""Run the quick tests of what differs from a commit: `python tests/changed.py [COMMIT]`, by default where main was left.

A test belongs to a module if it imports it, or if its own name and folder mirror it. Only unit tests and laws of physics
run here; what starts several parts together, or takes more than ten seconds, is left to `make test`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
QUICK = ("tests/unit", "tests/physics")
SLOW = "not docker and not browser and not postgres and not slow and not real"
ALSO = {
    "docs": "tests/unit/docs",
    "mkdocs.yml": "tests/unit/docs",
    "charts": "tests/unit/deploy",
    "docker": "tests/unit/deploy",
}


def main(since: str | None) -> int:
    tests = sorted(tests_of(changed(since)))
    if not tests:
        print("no test belongs to what differs")
        return 0
    print(f"{len(tests)} test files belong to what differs")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", SLOW, *tests]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return 0 if code == 5 else code  # all of them left to `make test`


def changed(since: str | None) -> set[str]:
    """Files that differ from `since`, those that git does not know yet among them."""
    base = since or _git("merge-base", "HEAD", "main")
    return {
        *_git("diff", "--name-only", base).splitlines(),
        *_git("ls-files", "--others", "--exclude-standard").splitlines(),
    }


def tests_of(files: set[str]) -> set[str]:
    found = {ALSO[part] for file in files if (part := file.split("/")[0]) in ALSO}
    found |= {file for file in files if re.fullmatch(r"tests/.*/test_\w+\.py", file) and (ROOT / file).is_file()}
    modules = {_module(file) for file in files if file.startswith("src/") and file.endswith(".py")}
    for folder in QUICK:
        for test in (ROOT / folder).rglob("test_*.py"):
            if modules & _subjects(test):
                found.add(str(test.relative_to(ROOT)))
    return {test for test in found if test.startswith(QUICK)}


def _module(file: str) -> str:
    return file.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _subjects(test: Path) -> set[str]:
    """Modules that a test imports, and the one that its place mirrors."""
    text = test.read_text(encoding="utf-8")
    found = set(re.findall(r"^\s*(?:from|import) (heimdall[\w.]*)", text, re.MULTILINE))
    for package, names in re.findall(r"^\s*from (heimdall[\w.]*) import (\([^)]*\)|.*)", text, re.MULTILINE):
        found |= {f"{package}.{name}" for name in re.findall(r"\w+", names)}
    mirrored = test.relative_to(TESTS).with_name(test.name.removeprefix("test_")).with_suffix("")
    return found | {".".join(["heimdall", *mirrored.parts[1:]])}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
