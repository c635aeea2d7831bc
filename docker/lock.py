"""Write the lock files of the images, docker/lock/*.txt: each package with its release and the SHA-256 of every file of it.

`make lock`, after constraints.txt, pyproject.toml or a release of torch has changed. uv asks the package index.
"""

import re
import subprocess
import tomllib
from pathlib import Path

from requirements import requirements

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "docker" / "lock"
PINNED = re.compile(r"^([\w.-]+)==", re.MULTILINE)


def main() -> None:
    project = ROOT / "pyproject.toml"
    LOCKS.mkdir(exist_ok=True)
    lock("wheel", tomllib.loads(project.read_text())["build-system"]["requires"])
    lock("mlflow", requirements(project, "tracking"))
    serving, training = requirements(project, "serve"), requirements(project, "train")
    serve = PINNED.findall(lock("serve", serving))
    for torch in torch_releases():  # on top of what `serve` has
        lock(f"training-{torch}", [*serving, *training, f"torch=={torch}"], without=serve)


def lock(name: str, wanted: list[str], without: list[str] | None = None) -> str:
    """Of the image `name`, for its Python on every machine."""
    options = ["--quiet", "--universal", "--generate-hashes", "--no-annotate", "--no-header", "--no-config"]
    options += ["--python-version", python_release(), "--constraint", str(ROOT / "constraints.txt")]
    for package in without or ():
        options += ["--no-emit-package", package]
    command = ["uv", "pip", "compile", *options, "-"]
    text = subprocess.run(command, input="\n".join(wanted), check=True, text=True, stdout=subprocess.PIPE).stdout
    (LOCKS / f"{name}.txt").write_text(text)
    return text


def torch_releases() -> list[str]:
    """That of the image, and the newest one that everything is tested with."""
    return [
        _found(r"^ARG TORCH_VERSION=(\S+)", ROOT / "Dockerfile"),
        _found(r"^torch==(\S+)", ROOT / "constraints-torch.txt"),
    ]


def python_release() -> str:
    return _found(r"^FROM python:([\d.]+)", ROOT / "Dockerfile")


def _found(pattern: str, path: Path) -> str:
    match = re.search(pattern, path.read_text(), re.MULTILINE)
    if match is None:
        raise SystemExit(f"{path} has no line {pattern}")
    return match[1]


if __name__ == "__main__":
    main()
