"""Docker and Compose as programs: short questions are captured, long work is followed line by line."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heimdall.errors import HeimdallError, InputError

KEPT_LINES = 200


@dataclass(frozen=True)
class EngineReply:
    code: int
    output: str
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def complaint(self) -> str:
        """The last line that says something: where Docker puts the reason."""
        lines = [line.strip() for line in (self.error or self.output).splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code}"


@dataclass(frozen=True)
class Engine:
    """`project` is the folder with docker-compose.yml; `environment` goes on top of the caller's."""

    project: Path
    tell: Callable[[str], None]
    environment: Mapping[str, str] = field(default_factory=dict)

    def docker(self, *arguments: str, timeout_s: float = 60) -> EngineReply:
        return self._capture(["docker", *arguments], timeout_s)

    def compose(self, *arguments: str, timeout_s: float = 60) -> EngineReply:
        return self._capture(["docker", "compose", *arguments], timeout_s)

    def follow_compose(self, *arguments: str) -> EngineReply:
        """Both streams, told as they come; the last lines are kept for the reason of a failure."""
        kept: deque[str] = deque(maxlen=KEPT_LINES)
        with subprocess.Popen(
            ["docker", "compose", "--progress", "plain", *arguments],
            cwd=self.project,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip():
                    kept.append(line.rstrip())
                    self.tell(line.rstrip())
        return EngineReply(process.returncode, "\n".join(kept))

    def with_environment(self, extra: Mapping[str, str]) -> Engine:
        return Engine(self.project, self.tell, {**self.environment, **extra})

    def _capture(self, command: Sequence[str], timeout_s: float) -> EngineReply:
        try:
            done = subprocess.run(
                command,
                cwd=self.project,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return EngineReply(124, "", f"{' '.join(command[:3])} did not answer within {timeout_s:g} s")
        except FileNotFoundError:
            return EngineReply(127, "", "docker is not installed")
        return EngineReply(done.returncode, done.stdout, done.stderr)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


def open_engine(project: Path, tell: Callable[[str], None]) -> Engine:
    """The engine for the project in this folder, or one line that says what is missing."""
    if not (project / "docker-compose.yml").is_file():
        raise InputError(
            f"no docker-compose.yml in {project}: run it in the folder of the repository, or --project DIR"
        )
    engine = Engine(project, tell)
    _require(engine.docker("version", "--format", "{{.Server.Version}}"), "install Docker, or start it")
    _require(engine.compose("version", "--short"), "install the Docker Compose plugin, 2.24 or newer")
    return engine


def _require(answer: EngineReply, advice: str) -> None:
    if answer.ok:
        return
    if "permission denied" in answer.error:
        advice = "add yourself to the group that may use it: sudo usermod -aG docker $USER, then log in again"
    raise HeimdallError(f"Docker cannot be used: {answer.complaint} ({advice})")
