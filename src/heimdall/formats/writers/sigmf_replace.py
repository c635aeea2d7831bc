"""The samples of a SigMF session replaced by ones with clocks, in one step: whatever is killed, one of the two can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from heimdall.files.atomic import incoming, replace_text
from heimdall.formats.readers.sigmf.accounts import RECEIVERS_KEY
from heimdall.formats.readers.sigmf.collection import about_session, collection_in
from heimdall.formats.readers.sigmf.session import CLOCKS_KEY
from heimdall.formats.readers.source import DATA_SUFFIX, META_SUFFIX
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation

_STREAMS = "core:streams"


def replace_recordings(folder: Path, observation: Observation, reference: str, remarks: Mapping[str, str]) -> None:
    """Put the observation's samples, by the clocks of a reference, in the place of those in `folder`.

    `remarks` are added to what is said of receivers, by name. Raises InputError where the folder does not hold one SigMF
    collection.
    """
    about = about_session(folder)
    about[CLOCKS_KEY] = reference
    before = [str(stream["name"]) for stream in about[_STREAMS]]
    about[_STREAMS] = _moved_in(folder, replace(observation, id=f"{observation.id}-timed"))
    for account in about.get(RECEIVERS_KEY, []):
        if account["name"] in remarks:
            account["notes"] = [*account.get("notes", []), remarks[account["name"]]]
    replace_text(collection_in(folder), json.dumps({"collection": about}, indent=2, allow_nan=False))
    for name in before:
        for suffix in (META_SUFFIX, DATA_SUFFIX):
            (folder / f"{name}{suffix}").unlink(missing_ok=True)


def _moved_in(folder: Path, observation: Observation) -> list[dict[str, Any]]:
    """New recordings in `folder`, which no collection names yet; the streams of the one that will."""
    with incoming(folder.parent) as place:
        written = write_sigmf(observation, place / "session")
        streams: list[dict[str, Any]] = json.loads(written.read_text(encoding="utf-8"))["collection"][_STREAMS]
        for path in written.parent.iterdir():
            if path != written:
                path.replace(folder / path.name)
    return streams
