"""Which Heimdall this is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import heimdall

REVISION = Path(heimdall.__file__).with_name("REVISION")
"""Written by the image's build; a checkout has none."""


@cache
def revision() -> str | None:
    """The commit an image was built from; None where that is not known."""
    return REVISION.read_text().strip() or None if REVISION.is_file() else None


def about() -> dict[str, str | None]:
    return {"version": heimdall.__version__, "revision": revision()}
