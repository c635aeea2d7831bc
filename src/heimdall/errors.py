"""Errors that speak to the person: one line, what is wrong and what to do."""


class HeimdallError(Exception):
    """It ran and found a fault. The command line prints the message and exits with `exit_code`."""

    exit_code = 1


class InputError(HeimdallError, ValueError):
    """The input or the call is wrong; the message says what and what to do."""

    exit_code = 2
