"""What the command line's sentences about receivers say to people who use the service."""

from __future__ import annotations

import re

_SAID = (
    (re.compile(r"add it with --allow-network (\S+)"), r"HEIMDALL_CAPTURE_NETWORKS=\1 allows it"),
    (re.compile(r"add it with --password"), "give its password"),
    (re.compile(r"give it with --password"), "give it as its password"),
    (re.compile(r" with --position"), ""),
)


def without_options(text: str) -> str:
    """The same advice without options of `heimdall receivers add`."""
    for option, words in _SAID:
        text = option.sub(words, text)
    return text
