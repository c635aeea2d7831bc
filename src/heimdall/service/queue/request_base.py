"""What every kind of request has, and where a job finds what its request only names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from heimdall.service.queue.matching import Needs
from heimdall.service.settings import Accelerator

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


@dataclass(frozen=True)
class JobPaths:
    """Where a job finds what its request only names."""

    run: Path
    training: Callable[[str], Path]
    """The run folder of another job."""
    data: Callable[[str], Path]
    model: Callable[[str], Path]
    receivers: Callable[[], Path]
    """The list of receivers that may be recorded."""
    transmitters: Callable[[], Path]
    """The list of known transmitters."""


class Request(BaseModel):
    """Whatever is asked for."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str, Field(max_length=120, description="Name of the job for people; if empty, made from the request.")
    ] = ""


class DeviceRequest(Request):
    """Work for a device."""

    accelerator: Annotated[Accelerator | None, Field(description="Device; null for that of the worker.")] = None
    needs: Annotated[Needs, Field(description="What a worker must have to take the job.")] = Needs()

    @model_validator(mode="after")
    def _no_gpu_on_the_cpu(self) -> DeviceRequest:
        if self.accelerator == "cpu" and self.needs.any_gpu:
            raise ValueError("a job for the CPU cannot need a GPU: leave out `needs` or the accelerator")
        return self
