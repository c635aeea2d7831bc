"""The kinds of job, what each needs to be told, and the command line it becomes."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, StringConstraints, TypeAdapter, model_validator

from heimdall.errors import InputError
from heimdall.recipes import recipe
from heimdall.scenarios import check_scenario
from heimdall.service.queue.capture_requests import RecordRequest, WatchRequest
from heimdall.service.queue.matching import ON_THE_CPU
from heimdall.service.queue.request_base import DeviceRequest, Id, JobPaths

RecipeName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
DottedKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=128)]
DataName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")]
Scalar = bool | int | FiniteFloat | Annotated[str, StringConstraints(max_length=256)] | None
Overrides = Annotated[dict[DottedKey, Scalar | list[Scalar]], Field(max_length=64)]
Workers = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}(:[1-9][0-9]{0,4})?$")]
DataNames = Annotated[list[DataName], Field(max_length=256, description="Files or folders below the data folder.")]


class TrainRequest(DeviceRequest):
    """Train a network from a recipe."""

    kind: Literal["train"]
    recipe: RecipeName
    overrides: Overrides = Field(default_factory=dict, description="Values to change in the recipe, by dotted key.")
    on: Literal["ray"] | None = Field(
        None, description="Where to train; ray means the Ray cluster that the worker's RAY_ADDRESS names."
    )
    workers: Workers | None = Field(
        None, description="Number of workers on the Ray cluster, or least and most, such as 2:8."
    )

    @property
    def title(self) -> str:
        return self.name or self.recipe

    def arguments(self, paths: JobPaths, accelerator: str) -> list[str]:
        options = ["--recipe", self.recipe, "--accelerator", accelerator, "--run-dir", str(paths.run)]
        settings = [f"{key}={json.dumps(value)}" for key, value in self.overrides.items()]
        cluster = [] if self.on is None else ["--on", self.on]
        cluster += [] if self.workers is None else ["--workers", self.workers]
        return ["train", *options, *cluster, *_repeat("--set", settings)]

    @model_validator(mode="after")
    def _workers_are_on_a_cluster(self) -> Self:
        if self.workers is not None and self.on is None:
            raise ValueError("workers are those of a Ray cluster: give on as well")
        least, _, most = (self.workers or "1").partition(":")
        if most and int(most) < int(least):
            raise ValueError("workers: give the least first, then the most, such as 2:8")
        return self


class FineTuneRequest(TrainRequest):
    """Train a model further on stored observations."""

    kind: Literal["fine-tune"]  # type: ignore[assignment]  # the discriminator narrows what the base says
    model: Id = Field(description="Id of the model to start from.")
    data: DataNames = Field(default_factory=list)

    def arguments(self, paths: JobPaths, accelerator: str) -> list[str]:
        options = ["--init", str(paths.model(self.model)), *_repeat("--data", _data_paths(paths, self.data))]
        return [*super().arguments(paths, accelerator), *options]


class EvaluateRequest(DeviceRequest):
    """Measure a model against the likelihood and the bound, on a simulated scenario or on stored observations."""

    kind: Literal["evaluate"]
    model: Id
    scenario: RecipeName | None = None
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: DataNames = Field(default_factory=list)

    @property
    def title(self) -> str:
        return self.name or f"evaluate {self.model}"

    @model_validator(mode="after")
    def _one_source(self) -> EvaluateRequest:
        if (self.scenario is None) == (not self.data):
            raise ValueError("give either a scenario or data to evaluate on")
        return self

    def arguments(self, paths: JobPaths, accelerator: str) -> list[str]:
        if self.scenario is None:
            source = _data_paths(paths, self.data)
        else:
            source = ["--scenario", self.scenario, "--count", str(self.count), "--seed", str(self.seed)]
        return ["evaluate", "--model", str(paths.model(self.model)), "--run-dir", str(paths.run), *source]


class ExportRequest(DeviceRequest):
    """Make a model file from the last checkpoint of a training."""

    kind: Literal["export"]
    job: Id = Field(description="Id of the training job, finished or paused.")

    @property
    def title(self) -> str:
        return self.name or f"export {self.job}"

    def arguments(self, paths: JobPaths, accelerator: str) -> list[str]:
        return ["export", str(paths.training(self.job)), "--run-dir", str(paths.run)]


AnyRequest = TrainRequest | FineTuneRequest | EvaluateRequest | ExportRequest | RecordRequest | WatchRequest
JobRequest = Annotated[AnyRequest, Field(discriminator="kind", title="JobRequest")]
_REQUEST: TypeAdapter[AnyRequest] = TypeAdapter(JobRequest)


def read_request(document: dict[str, Any]) -> AnyRequest:
    return _REQUEST.validate_python(document)


def check_words(request: AnyRequest) -> None:
    """Raises InputError for a recipe, field or scenario that there is not, and for a value out of bounds.

    Only of new requests: those in the queue may be from another version.
    """
    if isinstance(request, TrainRequest):
        recipe(request.recipe, {key: json.dumps(value) for key, value in request.overrides.items()})
    if isinstance(request, EvaluateRequest) and request.scenario is not None:
        check_scenario(request.scenario)
    if request.kind in ON_THE_CPU and request.needs.any_gpu:
        raise InputError(f"a job of the kind {request.kind} runs on the CPU and never needs a GPU: leave that out")


def stored_form(request: BaseModel) -> dict[str, Any]:
    """The part of a request the row has no column for."""
    return request.model_dump(mode="json", exclude={"kind", "name", "accelerator", "needs"})


def command_line(
    kind: str, arguments: dict[str, Any], accelerator: str, paths: JobPaths, *, resume: bool, require_gpu: bool = False
) -> list[str]:
    """The arguments of the program `heimdall` for a stored job."""
    request = read_request({"kind": kind, **arguments})
    options: list[str] = []
    if kind in ("train", "fine-tune"):
        options += ["--require-gpu"] if require_gpu else []
        options += ["--resume", str(paths.run)] if resume else []
    return [*request.arguments(paths, accelerator), *options]


def _repeat(option: str, values: list[str]) -> list[str]:
    return [part for value in values for part in (option, value)]


def _data_paths(paths: JobPaths, names: list[str]) -> list[str]:
    return [str(paths.data(name)) for name in names]
