"""What a training would do, asked of the program that would do it: `heimdall train --plan`."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import platform
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from heimdall import __version__
from heimdall.doctor.program import ProgramOutput, run_program
from heimdall.errors import HeimdallError
from heimdall.files.atomic import replace_text
from heimdall.service.queue.job_requests import AnyRequest, TrainRequest
from heimdall.service.settings import Settings

log = logging.getLogger(__name__)

_LIMIT_S = 300.0
"""The program loads PyTorch, tries the GPU and measures a network that is no recipe's: longer beside a training."""
_FRESH_S = 86_400.0
"""A plan is asked for again after a day: drivers and free memory change."""
_KEPT = 64
_FOLDER = "plans"
Plan = dict[str, Any]


class Planner:
    """Asks once for each question; one at a time, since the program takes a core for seconds.

    Answers are kept in memory and, for a day, in the data folder: whoever opens the page after a restart does not wait again.
    """

    def __init__(self, settings: Settings, run: Callable[[Sequence[str], float], ProgramOutput] = run_program) -> None:
        self._settings = settings
        self._run = run
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Plan] = OrderedDict()

    def plan(self, request: TrainRequest) -> Plan:
        """The document of `heimdall train --plan --json`. Raises HeimdallError where the program cannot say."""
        options = ["--recipe", request.recipe, "--accelerator", request.accelerator or self._settings.accelerator]
        changes = [part for key, value in request.overrides.items() for part in ("--set", f"{key}={json.dumps(value)}")]
        command = [*self._settings.command, "train", "--plan", "--json", *options, *changes]
        key = "\0".join(command)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._kept(key) or self._keep(key, self._ask(command))
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
            return self._known[key]

    def completed(self, request: AnyRequest) -> AnyRequest:
        """A training that needs a GPU and does not say how large a one needs what its plan says; without a plan, any."""
        if not isinstance(request, TrainRequest) or not request.needs.gpu or request.needs.gpu_memory_gb is not None:
            return request
        try:
            needed_gb = float(self.plan(request)["needed_bytes"]) / 1e9
        except (HeimdallError, KeyError, TypeError, ValueError) as error:
            log.info("any GPU will be taken for enough: no plan (%s)", error)
            return request
        needs = request.needs.model_copy(update={"gpu_memory_gb": math.ceil(10 * needed_gb) / 10})
        return request.model_copy(update={"needs": needs})

    def _path(self, key: str) -> Path:
        """Where the answer to a question is kept, for this machine with the devices that it has now."""
        devices = sorted(path.name for path in Path("/dev").glob("nvidia*"))
        asked = "\0".join([key, __version__, platform.node(), *devices])
        return self._settings.data / _FOLDER / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.json"

    def _kept(self, key: str) -> Plan | None:
        path = self._path(key)
        try:
            if time.time() - path.stat().st_mtime > _FRESH_S:
                return None
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) and "accelerator" in document else None

    def _keep(self, key: str, plan: Plan) -> Plan:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, json.dumps(plan))
        except OSError as error:
            log.info("the plan is not kept: %s", error)
        return plan

    def _ask(self, command: Sequence[str]) -> Plan:
        answer = self._run(command, _LIMIT_S)
        try:
            document = json.loads(answer.stdout)
        except ValueError:
            document = None
        if isinstance(document, dict) and "accelerator" in document:
            return document
        words = [line.removeprefix("heimdall: ") for line in answer.stderr.splitlines() if line.strip()]
        raise HeimdallError(words[-1] if words else "the training program says nothing about its plan")
