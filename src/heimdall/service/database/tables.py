"""The tables of the database. Times are seconds since 1970 by the database's own clock."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class now_unix_s(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """Seconds since 1970 by the database, so that leases do not depend on the clocks of several hosts."""

    type = Double()
    inherit_cache = True


@compiles(now_unix_s, "sqlite")
def _now_sqlite(element: now_unix_s, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now_unix_s, "postgresql")
def _now_postgresql(element: now_unix_s, compiler: Any, **options: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::double precision"


class PlainText(TypeDecorator[str]):
    """Text from outside. PostgreSQL refuses the character NUL, which a log line may well hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if value is not None else None


_JSON = JSON(none_as_null=True)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: _JSON, list[Any]: _JSON, float: Double}  # noqa: RUF012 - SQLAlchemy's hook


class Job(Base):
    """One piece of work. This row is the truth; the broker's message is only a notifier."""

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_by_state", "state", "created_unix_s"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(PlainText)
    state: Mapped[str] = mapped_column(String(16))
    arguments: Mapped[dict[str, Any]]
    created_by: Mapped[str] = mapped_column(PlainText)
    created_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s())
    updated_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s(), onupdate=now_unix_s())
    started_unix_s: Mapped[float | None]
    finished_unix_s: Mapped[float | None]

    attempts: Mapped[int] = mapped_column(default=0)
    attempts_max: Mapped[int]
    lease: Mapped[str | None] = mapped_column(String(64), unique=True)
    worker: Mapped[str | None] = mapped_column(PlainText)
    heartbeat_unix_s: Mapped[float | None]

    accelerator: Mapped[str | None] = mapped_column(String(8), doc="What the job asks for; None: the worker's setting.")
    needs_gpu: Mapped[bool] = mapped_column(default=False, doc="No worker without a usable GPU may take it.")
    needs_gpu_memory_gb: Mapped[float | None]
    needs_memory_gb: Mapped[float | None]
    needs_capture: Mapped[bool] = mapped_column(
        default=False, doc="It records receivers, beside whatever runs on devices."
    )
    accelerator_requested: Mapped[str | None] = mapped_column(String(8))
    accelerator_used: Mapped[str | None] = mapped_column(String(8))
    accelerator_reason: Mapped[str | None] = mapped_column(PlainText)
    device: Mapped[str | None] = mapped_column(PlainText)
    precision: Mapped[str | None] = mapped_column(String(32))

    step: Mapped[int | None]
    steps_total: Mapped[int | None]
    fraction: Mapped[float | None]
    eta_s: Mapped[float | None]
    loss: Mapped[float | None]
    phase: Mapped[str | None] = mapped_column(String(32))
    checkpoint: Mapped[str | None] = mapped_column(PlainText, doc="Path of the last good one below the run folder.")
    checkpoint_unix_s: Mapped[float | None]
    carried: Mapped[str | None] = mapped_column(PlainText, doc="Key of the run folder last left in the artifact store.")

    error: Mapped[str | None] = mapped_column(PlainText)
    result: Mapped[dict[str, Any] | None]
    capture: Mapped[dict[str, Any] | None] = mapped_column(doc="What its receivers were doing when it last said so.")


class JobEvent(Base):
    """What happened to a job, in order; followed live as server-sent events."""

    __tablename__ = "job_events"
    __table_args__ = (Index("job_events_by_job", "job_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    at_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s())
    type: Mapped[str] = mapped_column(String(32))
    message: Mapped[str] = mapped_column(PlainText)


class Model(Base):
    """A bundle in the artifact store. One job makes at most one."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"), unique=True)
    artifact: Mapped[str] = mapped_column(PlainText, doc="Key in the artifact store.")
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    scores: Mapped[dict[str, Any]]
    record: Mapped[dict[str, Any]]
    created_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s())


class Alias(Base):
    """A name that points to one model: `champion` is the one that locates."""

    __tablename__ = "aliases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"))
    moved_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s(), onupdate=now_unix_s())
    moved_by: Mapped[str] = mapped_column(PlainText)
    reason: Mapped[dict[str, Any]] = mapped_column(doc="The comparison that let it move.")


class RegisteredReceiver(Base):
    """A receiver that people told us about, with what calibration found. Recordings name it by `name`."""

    __tablename__ = "stations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText, unique=True)
    latitude_deg: Mapped[float]
    longitude_deg: Mapped[float]
    height_m: Mapped[float]
    clock_sigma_s: Mapped[float | None]
    level_sigma_db: Mapped[float | None]
    note: Mapped[str] = mapped_column(PlainText)
    correction: Mapped[dict[str, Any] | None] = mapped_column(doc="Delay and level bias, from a known transmitter.")
    created_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s())
    updated_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s(), onupdate=now_unix_s())


class OnlineReceiver(Base):
    """A receiver that an operator added by its address. Only these are ever connected to."""

    __tablename__ = "online_receivers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText, unique=True)
    address: Mapped[str] = mapped_column(PlainText, unique=True)
    password: Mapped[str | None] = mapped_column(PlainText)
    latitude_deg: Mapped[float | None] = mapped_column(doc="As the operator says; goes before what it says of itself.")
    longitude_deg: Mapped[float | None]
    height_m: Mapped[float | None]
    gain_db: Mapped[float | None]
    ppm: Mapped[float]
    enabled: Mapped[bool]
    note: Mapped[str] = mapped_column(PlainText)
    created_by: Mapped[str] = mapped_column(PlainText)
    created_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s())
    state: Mapped[dict[str, Any] | None] = mapped_column(
        doc="What it said of itself when it was last asked, or why not."
    )
    asked_unix_s: Mapped[float | None]


class Transmitter(Base):
    """A known transmitter that somebody added, beside those that come with Heimdall."""

    __tablename__ = "transmitters"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText)
    folded_name: Mapped[str] = mapped_column(
        PlainText, unique=True, doc="Names that differ in case alone are the same."
    )
    latitude_deg: Mapped[float]
    longitude_deg: Mapped[float]
    height_m: Mapped[float | None]
    frequency_hz: Mapped[float]
    kind: Mapped[str] = mapped_column(String(16))
    bandwidth_hz: Mapped[float | None] = mapped_column(doc="None: the usual width for its kind.")
    position_sigma_m: Mapped[float]
    source: Mapped[str] = mapped_column(PlainText)
    created_by: Mapped[str] = mapped_column(PlainText)
    created_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s())


class StoredSession(Base):
    """Observations kept for later: files in `sessions/ID` below the data folder."""

    __tablename__ = "sessions"
    __table_args__ = (Index("sessions_of_jobs", "job_id", "recording", unique=True),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText)
    created_by: Mapped[str] = mapped_column(PlainText)
    created_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s())
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    summary: Mapped[dict[str, Any]] = mapped_column(doc="What a reader found in them.")
    job_id: Mapped[str | None] = mapped_column(String(32), doc="The job that recorded it, which may be gone.")
    recording: Mapped[str | None] = mapped_column(PlainText, doc="Its name in the job; None: it was uploaded.")
    recorded: Mapped[dict[str, Any] | None] = mapped_column(doc="The channel, and what each receiver gave or why not.")
    fix_state: Mapped[str | None] = mapped_column(
        String(16), doc="Whether its fixes are kept; None: nobody wants them."
    )
    fix_problem: Mapped[str | None] = mapped_column(PlainText, doc="Why it could not be located.")
    pinned: Mapped[bool] = mapped_column(default=False, doc="Never deleted for its age or size.")
    deleted_unix_s: Mapped[float | None] = mapped_column(doc="In the bin since.")
    deleted_by: Mapped[str | None] = mapped_column(PlainText, doc="Who put it there; None: it was its time.")


class StoredFix(Base):
    """A position of a recording, kept for the history when the recording itself is gone."""

    __tablename__ = "fixes"
    __table_args__ = (Index("fixes_by_time", "at_unix_s"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(32), index=True, doc="Which may be gone.")
    job_id: Mapped[str | None] = mapped_column(String(32), index=True)
    name: Mapped[str] = mapped_column(PlainText)
    at_unix_s: Mapped[float] = mapped_column(doc="When the signal was received.")
    frequency_hz: Mapped[float]
    status: Mapped[str] = mapped_column(String(16))
    latitude_deg: Mapped[float | None]
    longitude_deg: Mapped[float | None]
    document: Mapped[dict[str, Any]] = mapped_column(doc="The fix as `heimdall locate --json` writes it.")


class Token(Base):
    """A key to the API. Only its hash is kept."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText)
    role: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_unix_s: Mapped[float] = mapped_column(insert_default=now_unix_s())
    revoked_unix_s: Mapped[float | None] = mapped_column(
        doc="From then on it is not taken; one that expires says so here."
    )


class SignIn(Base):
    """A browser that signed in with a token. It holds a word of its own, of which only the hash is kept."""

    __tablename__ = "sign_ins"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), doc="Of the token, which may be no row of `tokens`.")
    expires_unix_s: Mapped[float]


class Worker(Base):
    """What a worker last said about itself."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(PlainText, primary_key=True)
    started_unix_s: Mapped[float]
    heartbeat_unix_s: Mapped[float]
    accelerator: Mapped[str] = mapped_column(String(8))
    gpu_usable: Mapped[bool]
    gpu_reason: Mapped[str | None] = mapped_column(PlainText)
    devices: Mapped[list[Any]]
    versions: Mapped[dict[str, Any]]
    doctor: Mapped[dict[str, Any] | None]
    load: Mapped[dict[str, Any] | None]
    takes: Mapped[list[Any] | None]
    memory_gb: Mapped[float | None] = mapped_column(doc="For its jobs, in all.")
    gpu_memory_gb: Mapped[list[Any] | None] = mapped_column(doc="Of each device; null where it is not known.")
