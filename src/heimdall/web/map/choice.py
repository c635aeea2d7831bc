"""What is looked at on the map; it stands in the page's address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from heimdall.locating import Method

_ALL = "all"
_NUMBER = re.compile(r"[0-9]{1,9}")
METHODS = {Method.AUTO: "auto", Method.LIKELIHOOD: "likelihood", Method.LEARNED: "learned"}
"""What the page offers."""


@dataclass(frozen=True)
class Choice:
    session: str | None = None
    index: int = 0
    method: Method = Method.AUTO
    every: bool = False
    """All observations of the session at once, instead of one."""
    corrected: bool = True
    """Whether the corrections of registered receivers are applied."""
    history: bool = False
    """The fixes of what was recorded, instead of a session."""

    @property
    def address(self) -> str:
        if self.history:
            return "/?history=on"
        if self.session is None:
            return "/"
        rest = {"fix": _ALL if self.every else str(self.index + 1)} if self.index or self.every else {}
        rest |= {"method": self.method.value} if self.method is not Method.AUTO else {}
        rest |= {} if self.corrected else {"corrections": "off"}
        return "/?" + urlencode({"session": self.session} | rest)

    @classmethod
    def read(cls, request: Request) -> Choice:
        return cls.of(request.query_params)

    @classmethod
    def of_address(cls, query: str) -> Choice:
        """The choice in the query of an address, which begins with the question mark."""
        return cls.of(dict(parse_qsl(query.removeprefix("?"))))

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Choice:
        fix = query.get("fix", "")
        method = Method(query["method"]) if query.get("method") in [*METHODS] else Method.AUTO
        return cls(
            query.get("session"),
            max(0, int(fix) - 1) if _NUMBER.fullmatch(fix) else 0,
            method,
            fix == _ALL,
            query.get("corrections") != "off",
            query.get("history") == "on",
        )
