"""The operator's list of receivers: one JSON file, read strictly, written in one step, for its owner's eyes only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_serializer, field_validator

from heimdall.capture.interface import Target
from heimdall.capture.network.access import Access, Network
from heimdall.capture.network.address import NAME, parse_address
from heimdall.errors import InputError
from heimdall.files.atomic import replacing, user_list
from heimdall.formats.text import as_utf_8
from heimdall.observation import Place
from heimdall.validation.complaints import complaint

_MOST_BYTES = 1 << 24


class ListedReceiver(BaseModel):
    """One receiver. A place that is given here goes before what the receiver says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    address: str
    password: SecretStr | None = None
    latitude_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude_deg: Annotated[float, Field(ge=-180, le=180)] | None = None
    height_m: float | None = None
    gain_db: float | None = None
    ppm: Annotated[float, Field(gt=-1000, lt=1000)] = 0.0

    @field_validator("address")
    @classmethod
    def _canonical(cls, value: str) -> str:
        return str(parse_address(value))

    @field_serializer("password", when_used="json-unless-none")
    def _plain(self, value: SecretStr) -> str:
        return value.get_secret_value()

    def target(self) -> Target:
        """The receiver as drivers take it. Raises InputError for a wrong address."""
        place = None
        if self.latitude_deg is not None and self.longitude_deg is not None:
            place = Place(self.latitude_deg, self.longitude_deg, self.height_m)
        return Target(
            name=self.name,
            address=parse_address(self.address),
            password=self.password.get_secret_value() if self.password else None,
            place=place,
            gain_db=self.gain_db,
            ppm=self.ppm,
        )


class ReceiverList(BaseModel):
    """Everything `heimdall record` needs to know about the outside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    contact: Annotated[str, Field(max_length=200)] = ""
    """How operators of receivers reach you; it stands in every request."""
    allowed_networks: tuple[str, ...] = ()
    """Loopback and private networks that may be reached."""
    receivers: tuple[ListedReceiver, ...] = ()

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_network(each)) for each in value)

    @field_validator("contact")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable() or not value.isascii():
            raise ValueError("a contact is plain text on one line")
        return value

    @property
    def access(self) -> Access:
        return Access(networks=tuple(parse_network(each) for each in self.allowed_networks), contact=self.contact)

    def targets(self, names: Sequence[str] = ()) -> list[Target]:
        """The receivers with these names, in that order, or all. Raises InputError for a name that is not in the list."""
        known = {each.name: each for each in self.receivers}
        unknown = [name for name in names if name not in known]
        if unknown:
            there = f"there are {', '.join(known)}" if known else "it is empty"
            raise InputError(f"no receiver in the list is called {', '.join(unknown)}: {there}")
        return [known[name].target() for name in names or known]


def parse_network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise InputError(f"{text!r} is not a network: write 127.0.0.0/8 or fd00::/8") from None


def default_path() -> Path:
    """HEIMDALL_RECEIVERS, or a file in the configuration folder of the user (XDG)."""
    return user_list("HEIMDALL_RECEIVERS", "receivers.json")


def load(path: Path) -> ReceiverList:
    """An empty list where there is no file. Raises InputError for a file that is no list."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return ReceiverList()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        return ReceiverList.model_validate_json(as_utf_8(content))
    except ValidationError as error:
        raise InputError(f"{path} is not a list of receivers: {complaint(error)}") from None


def save(path: Path, listed: ReceiverList) -> None:
    """Written whole or not at all, and for its owner alone, as it holds passwords. Raises InputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, mode=0o600) as temporary:
            temporary.write_text(listed.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def with_receiver(listed: ReceiverList, receiver: ListedReceiver) -> ReceiverList:
    """Raises InputError where name or address are in the list already."""
    for each in listed.receivers:
        if each.name == receiver.name:
            raise InputError(f"a receiver is called {receiver.name} already: remove it, or choose another with --name")
        if each.address == receiver.address:
            raise InputError(f"{receiver.address} is in the list already, as {each.name}")
    return listed.model_copy(update={"receivers": (*listed.receivers, receiver)})


def without_receiver(listed: ReceiverList, name: str) -> ReceiverList:
    listed.targets([name])
    kept = tuple(each for each in listed.receivers if each.name != name)
    return listed.model_copy(update={"receivers": kept})


def free_name(listed: ReceiverList, wanted: str) -> str:
    """A short name made of what a receiver calls itself, unlike those in the list."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted).strip("-.")[:24].strip("-.") or "receiver"
    if not NAME.fullmatch(stem):
        stem = f"r-{stem}"[:24]
    taken = {each.name for each in listed.receivers}
    return next(
        name for number in range(1, len(taken) + 2) if (name := stem + f"-{number}" * (number > 1)) not in taken
    )
