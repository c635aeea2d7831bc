"""Recording and watching as jobs: what they need to be told, and the command line it becomes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from heimdall.capture.network.address import NAME
from heimdall.capture.recording.reference_transmitter import DEFAULT_SECONDS as REFERENCE_SECONDS
from heimdall.capture.recording.reference_transmitter import MOST_SECONDS as MOST_REFERENCE_SECONDS
from heimdall.capture.recording.schedule import DEFAULT_SECONDS, MOST_SECONDS, parse_cron
from heimdall.capture.watching.squelch import SquelchRule
from heimdall.errors import InputError
from heimdall.formats.wording import frequency_text
from heimdall.service.queue.matching import Needs
from heimdall.service.queue.request_base import JobPaths, Request
from heimdall.service.settings import Accelerator

MOST_RECEIVERS = 64
_MOST_HZ = 30e9
_DAY_S = 86_400.0
ReceiverName = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
ReceiverNames = Annotated[list[ReceiverName], Field(max_length=MOST_RECEIVERS)]


class Squelch(BaseModel):
    """Record when the signal is there: one receiver listens, and all are recorded when it hears one."""

    model_config = ConfigDict(extra="forbid")

    open_db: Annotated[float, Field(ge=1, le=100, description="A signal begins this far above the noise.")] = (
        SquelchRule.open_db
    )
    close_db: Annotated[
        float, Field(ge=0.5, le=100, description="A signal has ended when it is less than this above the noise.")
    ] = SquelchRule.close_db
    level_dbm: Annotated[
        float | None, Field(ge=-180, le=60, description="A signal begins at this level instead, whatever the noise.")
    ] = None
    least_s: Annotated[float, Field(ge=0, le=600, description="How long a signal has to last.")] = SquelchRule.least_s
    cool_down_s: Annotated[
        float, Field(ge=0, le=3600, description="How long no signal counts after the end of one.")
    ] = SquelchRule.cool_down_s
    listeners: ReceiverNames = Field(
        default_factory=list,
        description="Names or ids of receivers, of which the first that can listens; if empty, all in their order.",
    )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        try:
            SquelchRule(self.open_db, self.close_db)
        except InputError as error:
            raise ValueError(str(error)) from None
        return self


class ReferenceRequest(BaseModel):
    """A known transmitter that rtl_tcp receivers are tuned to as well, for their clocks; other receivers are left out."""

    model_config = ConfigDict(extra="forbid")

    transmitter: Annotated[
        str, Field(min_length=1, max_length=64, description="Name of the known transmitter.", examples=["Feldberg"])
    ]
    seconds: Annotated[
        float, Field(ge=1, le=MOST_REFERENCE_SECONDS, description="How long the reference is recorded.")
    ] = REFERENCE_SECONDS


class RecordRequest(Request):
    """Record receivers together once; the recording becomes a session, and is located."""

    accelerator: ClassVar[Accelerator | None] = "cpu"
    """It needs no device at all, and so must not look like something that would rather have a GPU."""
    needs: ClassVar[Needs] = Needs()

    kind: Literal["record"]
    frequency_hz: float = Field(gt=0, le=_MOST_HZ, description="Centre frequency of the channel.", examples=[77_500])
    bandwidth_hz: Annotated[float, Field(gt=0, le=20e6, description="Width of the channel.")] = 10_000.0
    seconds: Annotated[float, Field(ge=1, le=MOST_SECONDS, description="Length of each recording.")] = DEFAULT_SECONDS
    receivers: ReceiverNames = Field(
        default_factory=list, description="Names or ids of receivers by address; if empty, all that are switched on."
    )
    reference: ReferenceRequest | None = None

    @property
    def title(self) -> str:
        return self.name or f"{self.kind} {frequency_text(self.frequency_hz)}"

    def arguments(self, paths: JobPaths, accelerator: str) -> list[str]:
        channel = [f"--frequency={self.frequency_hz!r}", f"--bandwidth={self.bandwidth_hz!r}"]
        asked = [f"--receivers={','.join(self.receivers)}", "--file", str(paths.receivers())]
        recorded = [f"--seconds={self.seconds!r}", *asked, *self._reference(paths)]
        return [self.kind, *channel, *recorded, "--run-dir", str(paths.run)]

    def _reference(self, paths: JobPaths) -> list[str]:
        if self.reference is None:
            return []
        named = [f"--reference={self.reference.transmitter}", f"--reference-seconds={self.reference.seconds!r}"]
        return [*named, "--transmitters", str(paths.transmitters())]


class WatchRequest(RecordRequest):
    """Record and locate again and again: by an interval, by a cron line, or when the signal is there."""

    kind: Literal["watch"]  # type: ignore[assignment]  # the discriminator narrows what the base says
    every_s: Annotated[
        float | None, Field(ge=1, le=366 * _DAY_S, description="Interval from one start to the next.")
    ] = None
    cron: Annotated[
        str | None,
        Field(max_length=200, description="Cron line of the recordings, in UTC.", examples=["*/10 6-18 * * *"]),
    ] = None
    squelch: Squelch | None = None
    until_utc: Annotated[
        AwareDatetime | None, Field(description="When the watch ends; null if it goes on until it is cancelled.")
    ] = None
    most: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="Number of recordings after which the watch ends.")
    ] = None

    @field_validator("cron")
    @classmethod
    def _is_a_cron_line(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_cron(value)
            except InputError as error:
                raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _one_occasion(self) -> Self:
        if sum(each is not None for each in (self.every_s, self.cron, self.squelch)) != 1:
            raise ValueError("say when to record: one of every_s, cron and squelch")
        return self

    def arguments(self, paths: JobPaths, accelerator: str) -> list[str]:
        return [*super().arguments(paths, accelerator), *self._occasion(), *self._end()]

    def _occasion(self) -> list[str]:
        if self.every_s is not None:
            return [f"--every={self.every_s:.3f}s"]
        if self.cron is not None:
            return [f"--cron={self.cron}"]
        assert self.squelch is not None
        rule = self.squelch
        given = [f"--open-db={rule.open_db!r}", f"--close-db={rule.close_db!r}", f"--least={rule.least_s!r}"]
        given += [] if rule.level_dbm is None else [f"--level={rule.level_dbm!r}"]
        given += [f"--sentinel={','.join(rule.listeners)}"] if rule.listeners else []
        return ["--squelch", *given, f"--cool-down={rule.cool_down_s!r}"]

    def _end(self) -> list[str]:
        until = [] if self.until_utc is None else [f"--until={self.until_utc.isoformat()}"]
        return until + ([] if self.most is None else [f"--most={self.most}"])
