"""Build, start and watch the service; a GPU that fails at the start costs the GPU, not the service."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heimdall.deploy.accelerator_choice import Choice, HostView, explain_loss
from heimdall.deploy.compose.dotenv import write_values
from heimdall.deploy.compose.engine import Engine
from heimdall.deploy.compose.health import ServiceState, wait_until_healthy
from heimdall.deploy.compose.ports import check_ports
from heimdall.deploy.lock import one_at_a_time
from heimdall.deploy.note import write_note
from heimdall.deploy.training_container import TRAINING, ask_ready, gpu_trouble, prove, running_jobs, will_replace
from heimdall.deploy.trial import why
from heimdall.errors import HeimdallError

PROOF_TIMEOUT_S = 240.0
UNDECIDED = ("still being proved", "not looked at yet")
"""How the worker's answer about its GPU begins before it knows."""


@dataclass(frozen=True)
class Outcome:
    choice: Choice
    states: tuple[ServiceState, ...]
    backup: Path | None
    """The .env file as it was, where there was one and it changed."""

    @property
    def healthy(self) -> bool:
        return bool(self.states) and all(state.settled for state in self.states)


@dataclass(frozen=True)
class Starter:
    engine: Engine
    host: HostView
    services: Sequence[str]
    timeout_s: float
    limits: Mapping[str, str] = field(default_factory=dict)
    """What else goes into .env."""

    def start(self, choice: Choice, build: bool = True) -> Outcome:
        """Build, prove the GPU beside what runs, write the choice, start, wait; with a GPU that fails, once more without."""
        with one_at_a_time(self.engine):
            check_ports(self._with(choice), self.services)
            if build:
                self._build(choice)
            return self._start(self._proved(choice))

    def _start(self, choice: Choice) -> Outcome:
        backup = self._write(choice)
        self._tell_of_interruption(choice)
        trouble, states = self._attempt(choice)
        if trouble and choice.way != "cpu":
            return self._start_without_gpu(choice, trouble, backup)
        return Outcome(choice, self._or_fail(trouble, states), backup)

    def _proved(self, choice: Choice) -> Choice:
        """The choice as it is, or the CPU if the training's own program finds no GPU in a container with it.

        Asked in a container of its own: a GPU that does not work must not cost the running training two restarts.
        """
        if choice.way == "cpu" or (self.services and TRAINING not in self.services):
            return choice
        engine = self._with(choice)
        if not will_replace(engine, self.services) and not gpu_trouble(ask_ready(engine)):
            return choice
        self.engine.tell(f"Proving the GPU with the training's image and {choice.way}.")
        trouble = prove(engine)
        if not trouble:
            return choice
        self.engine.tell(f"THE TRAINING CANNOT USE THE GPU: {trouble}")
        return explain_loss(choice, self.host, trouble)

    def _tell_of_interruption(self, choice: Choice) -> None:
        engine = self._with(choice)
        jobs = running_jobs(ask_ready(engine))
        if jobs and will_replace(engine, self.services):
            self.engine.tell(
                f"The training container is replaced with {jobs} running in it: a checkpoint is written and gone on from."
            )

    def _start_without_gpu(self, choice: Choice, trouble: str, backup: Path | None) -> Outcome:
        self.engine.tell(f"STARTING WITH {choice.way} FAILED: {trouble}")
        self.engine.tell("Starting on the CPU instead.")
        reduced = explain_loss(choice, self.host, trouble)
        self._write(reduced, keep_copy=False)
        second_trouble, states = self._attempt(reduced)
        if second_trouble:
            # The GPU was not what stopped it, so the choice stands for the next try.
            self._write(choice, keep_copy=False)
        return Outcome(reduced, self._or_fail(second_trouble, states), backup)

    def _write(self, choice: Choice, keep_copy: bool = True) -> Path | None:
        values = {**choice.variables, **self.limits}
        backup = write_values(self.engine.project / ".env", values, keep_copy=keep_copy)
        write_note(self.engine.project, choice)
        written = ", ".join(f"{key}={value}" for key, value in values.items())
        copied = f"; the file as it was: {backup.name}" if backup else ""
        self.engine.tell(f".env: {written}{copied}")
        return backup

    def _build(self, choice: Choice) -> None:
        answer = self._with(choice).follow_compose("build", *self.services_with_needs())
        if not answer.ok:
            raise HeimdallError(f"the images could not be built: {why(answer)}")

    def services_with_needs(self) -> Sequence[str]:
        return ["--with-dependencies", *self.services] if self.services else []

    def _attempt(self, choice: Choice) -> tuple[str, list[ServiceState]]:
        """What went wrong with this choice, empty if nothing did, and the states of all services."""
        engine = self._with(choice)
        answer = engine.follow_compose("up", "--detach", *self.services)
        if not answer.ok:
            return why(answer), []
        states = wait_until_healthy(engine, self.timeout_s)
        if choice.way == "cpu" or not any(state.service == TRAINING for state in states):
            return "", states
        return self._gpu_trouble(engine), states

    def _gpu_trouble(self, engine: Engine) -> str:
        """What the worker says about its GPU once it has proved it; empty if it can use it."""
        end = time.monotonic() + PROOF_TIMEOUT_S
        while True:
            trouble = gpu_trouble(ask_ready(engine))
            if not trouble or not trouble.startswith(UNDECIDED) or time.monotonic() > end:
                return trouble
            time.sleep(1)

    def _with(self, choice: Choice) -> Engine:
        # A variable exported in the shell would win over .env; the choice must hold for this start.
        return self.engine.with_environment(choice.variables)

    @staticmethod
    def _or_fail(trouble: str, states: list[ServiceState]) -> tuple[ServiceState, ...]:
        if trouble:
            taken = "address already in use" in trouble or "port is already allocated" in trouble
            advice = (
                "set HEIMDALL_PORT or HEIMDALL_HEALTH_PORT in .env to a free port" if taken else "docker compose logs"
            )
            raise HeimdallError(f"the service did not start: {trouble} ({advice})")
        return tuple(states)
