"""What the service can be told from outside: environment variables `HEIMDALL_*`, or files named by `HEIMDALL_*_FILE`.

With nothing configured everything lives below one folder, `HEIMDALL_HOME`, and needs no server.
"""

from __future__ import annotations

import os
import shlex
import socket
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from heimdall.errors import InputError
from heimdall.execution.own_program import HEIMDALL
from heimdall.scenarios import check_scenario
from heimdall.validation.complaints import what_is_wrong

PREFIX = "HEIMDALL_"
Accelerator = Literal["auto", "cpu", "gpu"]
Take = Literal["gpu", "cpu", "capture"]


class Settings(BaseSettings):
    """One field a setting; the descriptions become the page of settings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    home: Path = Field(Path("var"), description="Folder of runs, models and the embedded database.")
    database_url: SecretStr | None = Field(None, description="Database (postgresql://); SQLite in home if unset.")
    database_password: SecretStr | None = Field(None, description="Password put into database_url.")
    broker_url: SecretStr | None = Field(None, description="Broker (redis://, amqp://); files in home if unset.")
    broker_password: SecretStr | None = Field(None, description="Password put into broker_url.")
    artifacts: str | None = Field(None, description="Folder, or fsspec address such as s3://bucket/path, for models.")
    mlflow_tracking_uri: str | None = Field(None, description="MLflow server; SQLite in home if unset.")
    mlflow_database_url: SecretStr | None = Field(None, description="Database of the MLflow server, for backups.")
    mlflow_database_password: SecretStr | None = Field(None, description="Password put into mlflow_database_url.")
    mlflow_artifacts: Path | None = Field(None, description="Folder of the MLflow server's artifacts, for backups.")
    secrets_folder: Path | None = Field(None, description="Folder of all secrets, for backups.")
    accelerator: Accelerator = Field("auto", description="Device of jobs that ask for none: auto, cpu or gpu.")
    worker_name: str | None = Field(None, description="Name of this worker; the host name if unset.")
    stands_in_for: str | None = Field(
        None, description="Name of a worker; this one works on the CPU only while that one is away."
    )
    standby_after_s: float = Field(
        90.0, gt=0, description="How long the worker of HEIMDALL_STANDS_IN_FOR must be away before this one works."
    )
    takes: Annotated[tuple[Take, ...], NoDecode] = Field(
        ("gpu", "cpu", "capture"),
        min_length=1,
        description="Jobs this worker takes, separated by commas: gpu, cpu, capture (records receivers); `auto` goes anywhere.",
    )
    capture_slots: int = Field(4, ge=1, le=64, description="Recordings and watches that run at once on this worker.")
    capture_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Loopback and private networks that receivers may be in (192.168.1.0/24), separated by commas."
    )
    capture_contact: str = Field(
        "", max_length=200, description="How operators of receivers can reach you; sent with every request to one."
    )
    receivers_every_s: float = Field(
        600.0, ge=0, description="How often receivers by address are asked for their state; 0: only when somebody asks."
    )
    keep_recordings_days: float | None = Field(
        None, gt=0, description="Age above which recordings go into the bin; never if unset."
    )
    keep_recordings_gb: float | None = Field(
        None,
        gt=0,
        description="Most disk space for recordings; beyond it the oldest go into the bin. No limit if unset.",
    )
    bin_days: float = Field(7.0, ge=0, description="How long sessions stay in the bin before they are deleted.")
    memory_gb: float | None = Field(
        None, gt=0, description="Main memory for this worker's jobs; the machine's or container's if unset."
    )
    gpu_memory_gb: float | None = Field(
        None, gt=0, description="Memory of each GPU of this worker; what the driver says if unset."
    )
    program: Annotated[list[str] | None, NoDecode] = Field(
        None, description="Program that runs the jobs instead of `heimdall` itself."
    )
    host: str = Field("127.0.0.1", description="Address `heimdall serve` listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of `heimdall serve`.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Web sites whose pages may use the API with a token (https://map.example), separated by commas."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` are believed, separated by commas.",
    )
    health_host: str = Field("127.0.0.1", description="Address the worker's health server listens on.")
    health_port: int = Field(8002, ge=0, le=65535, description="Port of the worker's health server.")
    admin_token: SecretStr | None = Field(None, min_length=20, description="An admin token that is always accepted.")
    poll_s: float = Field(0.5, gt=0, le=5, description="How often a worker looks at its jobs.")
    heartbeat_s: float = Field(2.0, gt=0, description="How often a worker renews the lease of its jobs.")
    lease_s: float = Field(60.0, gt=0, description="How long a job may be without a heartbeat before it is put back.")
    sweep_s: float = Field(10.0, gt=0, description="How often lost jobs are looked for.")
    attempts_max: int = Field(5, ge=1, description="Starts of one job before it is given up.")
    cancel_grace_s: float = Field(3.0, ge=0, description="Time a cancelled training has before it is killed.")
    stop_grace_s: float = Field(60.0, ge=0, description="Time a paused or stopped training has to write a checkpoint.")
    disk_free_min_gb: float = Field(1.0, ge=0, description="Free disk space below which the service is not ready.")
    upload_mb: float = Field(128.0, gt=0, description="Largest upload, and most that its archives unpack to.")
    model_mb: float = Field(2048.0, gt=0, description="Largest model bundle that is imported.")
    upload_s: float = Field(120.0, gt=0, description="Time an upload has to arrive.")
    upload_samples: int = Field(2**25, ge=1, description="Most samples of one uploaded recording.")
    upload_observations: int = Field(20_000, ge=1, description="Most lines of an uploaded measurement file.")
    locate_slots: int = Field(2, ge=1, description="Requests located at the same time.")
    locate_queue: int = Field(256, ge=1, description="Requests that wait to be located; more are told to come back.")
    locate_observations: int = Field(2000, ge=1, description="Most observations that one request may locate.")
    locate_receivers: int = Field(500, ge=2, description="Most receivers of one observation that is located.")
    locate_s: float = Field(60.0, gt=0, description="Time a request may take from its arrival to its fixes.")
    locate_per_minute: int = Field(600, ge=1, description="Requests to locate a token may send in a minute.")
    evaluation_scenario: str = Field("matched", description="Frozen evaluation that a new champion has to win.")
    evaluation_count: int = Field(400, ge=1, description="Scenes of the frozen evaluation.")
    evaluation_seed: int = Field(77_500, ge=0, description="Seed of the frozen evaluation.")
    evaluation_data: Annotated[list[str], NoDecode] = Field(
        [], description="Recordings below the data folder to evaluate on instead, separated by commas."
    )
    tile_url: str | None = Field(
        None, description="Tiles of a server (https://.../{z}/{x}/{y}.png) over the map's own."
    )
    tile_file: Path | None = Field(None, description="Tiles of a file: MBTiles or PMTiles with pictures.")
    tile_credit: str = Field("", description="Line of credit the owner of the tiles asks for.")
    log_format: Literal["text", "json"] = Field("text", description="Form of the log: text, or a JSON object a line.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Detail of the log.")

    @field_validator("accelerator", mode="before")
    @classmethod
    def _compose_names(cls, value: object) -> object:
        # Compose picks its reservation from the same word; gpu-ids and gpu-cdi are ways to ask Docker for the GPU.
        return "gpu" if isinstance(value, str) and value.startswith("gpu-") else value

    @field_validator("program", mode="before")
    @classmethod
    def _split_program(cls, value: object) -> object:
        return shlex.split(value) if isinstance(value, str) else value

    @field_validator("capture_contact")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable() or not value.isascii():
            raise ValueError("a contact is plain text on one line")
        return value

    @field_validator("evaluation_scenario")
    @classmethod
    def _known_scenario(cls, value: str) -> str:
        check_scenario(value)
        return value

    @field_validator("trusted_proxies", "capture_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ip_network(each)
        return value

    @field_validator("evaluation_data", "takes", "trusted_proxies", "cors_origins", "capture_networks", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Settings:
        if self.lease_s < 5 * self.heartbeat_s:
            raise ValueError("lease_s must be at least five heartbeats (heartbeat_s), or healthy jobs are put back")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @property
    def embedded(self) -> bool:
        """Nothing configured: database and broker are files of our own, so `serve` brings its own worker."""
        return self.database_url is None and self.broker_url is None

    @cached_property
    def database(self) -> URL:
        if self.database_url is None:
            return URL.create("sqlite", database=str(self.home / "heimdall.db"))
        return _with_password(self.database_url, self.database_password, "DATABASE_URL", "postgresql+psycopg")

    @cached_property
    def mlflow_database(self) -> URL | None:
        """Where it was told, which only a backup needs."""
        if self.mlflow_database_url is None:
            return None
        return _with_password(
            self.mlflow_database_url, self.mlflow_database_password, "MLFLOW_DATABASE_URL", "postgresql+psycopg"
        )

    @cached_property
    def broker(self) -> str | None:
        """Address with its password, or None for the embedded broker."""
        if self.broker_url is None:
            return None
        return _with_password(self.broker_url, self.broker_password, "BROKER_URL").render_as_string(hide_password=False)

    @property
    def carries(self) -> bool:
        """Run folders travel through the artifact store, since its place was told to workers on several machines."""
        return self.artifacts is not None

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def broker_folder(self) -> Path:
        return self.home / "broker"

    @property
    def artifact_address(self) -> str:
        return self.artifacts or str(self.home / "artifacts")

    @property
    def mlflow_address(self) -> str:
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def worker(self) -> str:
        return self.worker_name or socket.gethostname()

    @property
    def command(self) -> list[str]:
        """The program a job's arguments are appended to."""
        return self.program or list(HEIMDALL)


class _SecretFiles(PydanticBaseSettingsSource):
    """`HEIMDALL_X_FILE` names a file that holds the value of `HEIMDALL_X`; the variable itself wins."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (_read_secret(path, field_name) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; a wrong value is one line that names the variable."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise InputError("; ".join(_describe(problem) for problem in error.errors())) from None


def _describe(problem: Any) -> str:
    where = "_".join(str(part) for part in problem["loc"][:1]).upper()
    return f"{PREFIX}{where}{what_is_wrong(problem)}" if where else f"settings{what_is_wrong(problem)}"


def _read_secret(path: str, field_name: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise InputError(f"{PREFIX}{field_name.upper()}_FILE: cannot read {path}: {error.strerror}") from None


def _with_password(address: SecretStr, password: SecretStr | None, name: str, postgres: str | None = None) -> URL:
    try:
        url = make_url(address.get_secret_value())
    except ArgumentError:
        raise InputError(f"{PREFIX}{name} is not an address such as scheme://user@host:port/name") from None
    if postgres and url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername=postgres)
    if password is not None and not url.password:
        # An address has a password only beside a user, be it an empty one.
        url = url.set(username=url.username or "", password=password.get_secret_value())
    return url
