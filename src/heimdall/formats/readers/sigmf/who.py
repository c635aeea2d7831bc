"""The receiver of a SigMF recording by a glance at its metadata, before they are read in earnest."""

from __future__ import annotations

import json

from heimdall.formats.readers.limits import Files, content_or_flaw
from heimdall.formats.readers.recordings.grouping import Who

_KEYS = ("heimdall:receiver", "core:geolocation")


def sigmf_who(files: Files, path: str) -> Who:
    """Its name, else its place, else its file."""
    try:
        about = json.loads(content_or_flaw(files, path)[0])["global"]
        said = next((about[key] for key in _KEYS if about.get(key)), None)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        said = None
    return Who(path, everywhere=False) if said is None else Who(json.dumps(said, sort_keys=True))
