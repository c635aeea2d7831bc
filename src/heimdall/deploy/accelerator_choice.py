"""Which accelerator and which torch this host gets: the doctor explains, the trial decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Union

from heimdall.deploy.trial import Trial, Way
from heimdall.doctor import explain

Request = Union[Literal["auto"], Way]  # noqa: UP007 - made when it is imported, also by Python 3.9

PREFERRED: tuple[Way, ...] = ("gpu-cdi", "gpu")
"""CDI first: it keeps the GPU when the host reloads systemd."""
ABSENT = ("container_toolkit_missing", "stale_cdi")
"""What Docker's messages stand for on a host that has no GPU either; there the doctor's word is the better reason."""


@dataclass(frozen=True)
class HostView:
    """What the doctor says about the host, as far as a start needs it."""

    reason: str
    """Why its GPU cannot be used; empty where the doctor found nothing wrong."""
    fix: tuple[str, ...]
    torch_version: str | None
    """The release its driver takes; empty: the one of the Dockerfile; None: the driver is not known."""
    has_card: bool = True


@dataclass(frozen=True)
class Choice:
    way: Way
    torch_version: str | None
    reason: str
    fix: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """What Compose reads from .env; an unknown driver leaves the torch release alone."""
        torch = {} if self.torch_version is None else {"HEIMDALL_TORCH_VERSION": self.torch_version}
        return {"HEIMDALL_ACCELERATOR": self.way, **torch}


def choose(request: Request, host: HostView, attempt: Callable[[Way], Trial]) -> Choice:
    """Try the ways asked for, take the first that works, else the CPU with the reason."""
    if request == "cpu":
        return Choice("cpu", host.torch_version, "the CPU was asked for")
    trials: list[Trial] = []
    for way in PREFERRED if request == "auto" else (request,):
        trials.append(attempt(way))
        if trials[-1].ok:
            return Choice(way, host.torch_version, f"a container sees {trials[-1].detail}", (), tuple(trials))
    # The last way is the plainer one: its message is the one people know and search for.
    return explain_loss(Choice("cpu", host.torch_version, "", (), tuple(trials)), host, trials[-1].detail)


def explain_loss(choice: Choice, host: HostView, trouble: str) -> Choice:
    """The CPU instead, with the reason in one line and what to type: the doctor's, else what the message stands for."""
    known = explain(trouble)
    seen = host.has_card or any(trial.ok for trial in choice.trials)
    if not seen and (known is None or known.name in ABSENT):
        return replace(
            choice, way="cpu", reason=_beside(host.reason or "this machine shows no NVIDIA GPU", trouble), fix=()
        )
    if known is None or host.fix or (host.reason and known.name in ABSENT):
        cause, fix = host.reason, host.fix or (known.fix if known else ())
    else:
        cause, fix = known.cause, known.fix
    return replace(choice, way="cpu", reason=_beside(cause, trouble), fix=fix or ("heimdall doctor",))


def _beside(cause: str, trouble: str) -> str:
    return f"{cause.rstrip('.')} ({trouble})" if cause and cause != trouble else trouble
