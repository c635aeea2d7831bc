"""Write NAME.txt for every extra NAME of a pyproject.toml, with the project's own dependencies: `requirements.py FILE`."""

import sys
import tomllib
from pathlib import Path


def main(pyproject: Path) -> None:
    project = tomllib.loads(pyproject.read_text())["project"]
    for extra, requirements in project["optional-dependencies"].items():
        own = [] if extra == "tracking" else project["dependencies"]
        Path(f"{extra}.txt").write_text("".join(f"{line}\n" for line in [*own, *requirements]))


main(Path(sys.argv[1]))
