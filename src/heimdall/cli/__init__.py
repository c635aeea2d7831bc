"""The command `heimdall`: one module a command, each a thin door to the rooms behind it."""

from __future__ import annotations

import sys

from heimdall import __version__
from heimdall.errors import quietly
from heimdall.files.disk import exit_code_of

__all__ = ["main"]


def main() -> None:
    """Run the command line, see `heimdall.cli.app`; a script that asks for the version alone waits for no library."""
    if sys.argv[1:] == ["--version"]:
        sys.exit(exit_code_of(lambda: quietly(_tell_version)))
    from heimdall.cli import app

    app.main()


def _tell_version() -> int:
    print(__version__)
    return 0
