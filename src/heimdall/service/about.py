"""Which Heimdall this is."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import heimdall

REVISION = Path(heimdall.__file__).with_name("REVISION")
"""Written by the image's build; a checkout has none."""

_PACKAGES = ("torch", "lightning", "timm", "onnxruntime", "celery", "fastapi", "sqlalchemy", "mlflow-skinny")


@cache
def revision() -> str | None:
    """The commit an image was built from; None where that is not known."""
    return REVISION.read_text().strip() or None if REVISION.is_file() else None


def about() -> dict[str, str | None]:
    return {"version": heimdall.__version__, "revision": revision()}


def versions() -> dict[str, str | None]:
    """Versions of this program and of what it is built on; None for what is not installed. Imports nothing."""
    return {"heimdall": heimdall.__version__, "python": platform.python_version()} | {
        name: version_of(name) for name in _PACKAGES
    }


def version_of(package: str) -> str | None:
    """Version of an installed package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
