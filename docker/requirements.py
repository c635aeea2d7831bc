"""Print what an extra of a pyproject.toml needs, with the project's own dependencies: `requirements.py FILE EXTRA`."""

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: Path, extra: str) -> list[str]:
    project = tomllib.loads(pyproject.read_text())["project"]
    own = [] if extra == "tracking" else project["dependencies"]  # the tracking server has nothing of the project
    return [*own, *project["optional-dependencies"][extra]]


if __name__ == "__main__":
    print("\n".join(requirements(Path(sys.argv[1]), sys.argv[2])))
