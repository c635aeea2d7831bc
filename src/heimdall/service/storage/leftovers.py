"""What a process that was killed has left on this machine, cleared away when the next one starts."""

from __future__ import annotations

import logging

from heimdall.files.artifacts import Artifacts
from heimdall.files.atomic import INCOMING, sweep, sweep_scratch
from heimdall.runs.run_archive import LEAVING
from heimdall.service.settings import Settings

log = logging.getLogger(__name__)


def clear(settings: Settings, artifacts: Artifacts) -> int:
    """Temporary files that no living process holds; how many there were."""
    count = sweep_scratch() + artifacts.sweep()
    for folder in (settings.home, settings.runs):
        count += sweep(folder, f"{LEAVING}*")
    count += sweep(settings.data, f"**/{LEAVING}*") + sweep(settings.data, f"*/{INCOMING}*")
    # Copies of other machines' runs, what a run fetches, and its recordings while they are corrected.
    count += sum(sweep(settings.runs, f"{where}{INCOMING}*") for where in ("", "*/", "*/inputs/"))
    if count:
        log.info("deleted %d temporary files that a crash had left", count)
    return count
