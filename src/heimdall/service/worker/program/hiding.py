"""What a job's program must not see: the words by which this service reaches its servers and knows its administrator.

Its environment is made without them, and the files that hold them are hidden by `confine`. What a program needs itself is
left to it: the key of MLflow, and where it runs on Ray the keys of the store and the cluster.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heimdall.service.health.monitor import Degraded, Look
from heimdall.service.settings import Settings
from heimdall.service.worker.program import confine

_OURS = re.compile(r"HEIMDALL_(MLFLOW_)?(DATABASE|BROKER)_URL(_FILE)?")
_SECRET = re.compile(r"PASSW(OR)?D|SECRET|TOKEN|CREDENTIAL|ACCESS_KEY|API_?KEY|PRIVATE_KEY", re.IGNORECASE)
_NEEDED = re.compile("MLFLOW_TRACKING_")
_NEEDED_ON_RAY = re.compile("MLFLOW_TRACKING_|AWS_|RAY_")
_USUAL_PLACES = ("/run/secrets", "/run/heimdall-secrets")
"""Where Docker, Kubernetes and docker-compose.yml lay secrets."""


@dataclass(frozen=True)
class Hidden:
    variables: frozenset[str]
    places: tuple[Path, ...]
    exposed: tuple[Path, ...]
    """Secret files that cannot be hidden, because programs work in the folder they lie in."""


def hidden_from(settings: Settings, environment: Mapping[str, str], *, on_ray: bool = False) -> Hidden:
    """What a job's program may not see of this worker's environment and of the files that it names."""
    needed = _NEEDED_ON_RAY if on_ray else _NEEDED
    secret = {name for name in environment if _OURS.fullmatch(name) or _SECRET.search(name)}
    variables = frozenset(name for name in secret if not needed.match(name))
    files = [Path(environment[name]) for name in sorted(variables) if name.endswith("_FILE") and environment[name]]
    folders = {file.absolute().parent.resolve() for file in files} | {Path(place).resolve() for place in _USUAL_PLACES}
    in_use = _in_use(settings)
    exposed = {folder for folder in folders if any(_is_in_the_way(folder, place) for place in in_use)}
    there = sorted(folder for folder in folders - exposed if folder.is_dir())
    return Hidden(variables, tuple(there), tuple(file for file in files if file.absolute().parent.resolve() in exposed))


def look_at_secrets(settings: Settings) -> Look:
    """Whether the programs of jobs are kept from the worker's secrets."""

    def look() -> str:
        hidden = hidden_from(settings, os.environ)
        if not confine.landlock_version():
            raise Degraded(
                "jobs could read the worker's secrets: this kernel has no Landlock (Linux 5.13 or newer has)"
            )
        if hidden.exposed:
            raise Degraded(
                f"jobs could read {', '.join(map(str, hidden.exposed))}: put it into a folder where nothing else is written"
            )
        return "jobs cannot read the worker's secrets"

    return look


def _in_use(settings: Settings) -> list[Path]:
    """Folders in which a program reads what it made directly in them."""
    programs = [Path(place) for place in (sys.prefix, sys.base_prefix, tempfile.gettempdir())]
    return [place.resolve() for place in (settings.home, settings.runs, Path.home(), Path.cwd(), *programs)]


def _is_in_the_way(folder: Path, used: Path) -> bool:
    """Hiding a folder also hides what is made later beside it, in each folder above it."""
    return folder == used or folder in used.parents or used in folder.parents
