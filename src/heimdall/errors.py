"""Errors that speak to the person: one line, what is wrong and what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


class HeimdallError(Exception):
    """It ran and found a fault. The command line prints the message and exits with `exit_code`."""

    exit_code = 1


class InputError(HeimdallError, ValueError):
    """The input or the call is wrong; the message says what and what to do."""

    exit_code = 2


class TooLargeError(InputError):
    """More than a limit allows, of bytes, files, observations or receivers."""


READER_GONE = 141
"""What a shell reports of a program that ended because nobody read its output any more (128 + SIGPIPE)."""


def quietly(run: Callable[[], int]) -> int:
    """The exit code of a command whose reader may leave early, as `head` does: that is no error and has no traceback."""
    try:
        code = run()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # What is still in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
