"""The command `heimdall`: one module a command, each a thin door to the rooms behind it."""

from heimdall.cli.app import main

__all__ = ["main"]
