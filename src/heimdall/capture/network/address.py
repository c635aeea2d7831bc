"""The address of a receiver as people type it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from heimdall.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a receiver is called in a list."""
ANY = "any"
"""A web address that does not say which kind of receiver it is."""
KIWI, RTL_TCP, OPENWEBRX, SIGMF_HTTP, SOAPY = "kiwi", "rtl_tcp", "openwebrx", "sigmf", "soapy"
_EXAMPLES = (
    "kiwi://host:8073, rtl_tcp://host:1234, openwebrx://host:8073, http://host:8073, "
    "sigmf+https://host/NAME.sigmf-meta or soapy:driver=rtlsdr"
)
_SCHEMES = {
    "http": (ANY, False, 80),
    "https": (ANY, True, 443),
    "kiwi": (KIWI, False, 8073),
    "kiwis": (KIWI, True, 443),
    "rtl_tcp": (RTL_TCP, False, 1234),
    "openwebrx": (OPENWEBRX, False, 8073),
    "openwebrxs": (OPENWEBRX, True, 443),
    "sigmf+http": (SIGMF_HTTP, False, 80),
    "sigmf+https": (SIGMF_HTTP, True, 443),
}
"""Kind, whether by TLS, and the port where none is given."""
_LOCAL = (SOAPY,)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9_+.-]*):(.*)", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?|[0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?")


@dataclass(frozen=True)
class Address:
    """Where a receiver is, taken apart. `host` is empty and `path` says it all for SoapySDR."""

    kind: str
    host: str = ""
    port: int = 0
    secure: bool = False
    path: str = ""

    def __str__(self) -> str:
        if self.kind in _LOCAL:
            return f"{self.kind}:{self.path}"
        scheme = next(
            name for name, (kind, secure, _) in _SCHEMES.items() if (kind, secure) == (self.kind, self.secure)
        )
        return f"{scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Raises InputError that says what an address looks like. Without a scheme, `host:port` is a web address."""
    text = text.strip()
    found = _SCHEME.fullmatch(text)
    if found and found[1].lower() in _LOCAL and not found[2].startswith("//"):
        return Address(found[1].lower(), path=_needed(text, found[2]))
    if not text.isprintable() or " " in text:
        raise _wrong(text, "it has spaces or control characters")
    scheme, separated, rest = text.partition("://")
    return _web_address(text, scheme.lower(), rest) if separated else _web_address(text, "http", text)


def _web_address(text: str, scheme: str, rest: str) -> Address:
    if scheme not in _SCHEMES:
        raise _wrong(text, f"{scheme}:// is not a kind of receiver")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _wrong(text, str(error)) from None
    if parts.username is not None or parts.password is not None:
        raise _wrong(text, "a password does not belong in an address: give it apart")
    if not _HOST.fullmatch(host):
        raise _wrong(text, "it names no host")
    if port == 0:
        raise _wrong(text, "port 0 is none")
    kind, secure, default = _SCHEMES[scheme]
    query = f"?{parts.query}" if parts.query else ""
    path = f"{parts.path}{query}" if kind == SIGMF_HTTP else ""
    return Address(kind, host, port or default, secure, path)


def _needed(text: str, path: str) -> str:
    if not path:
        raise _wrong(text, "nothing follows the colon")
    return path


def _wrong(text: str, why: str) -> InputError:
    return InputError(f"{text[:200]!r} is not the address of a receiver ({why}); write {_EXAMPLES}")
