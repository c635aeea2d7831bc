"""`python3 -m heimdall.deploy`: `heimdall up` on a bare host, from the source tree, with nothing installed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from heimdall.deploy.command import ACCELERATORS, Options, run_up
from heimdall.errors import HeimdallError

PROJECT = Path(__file__).parents[3]
"""The checkout this file is in."""


def main(arguments: list[str] | None = None) -> int:
    try:
        return run_up(_options(arguments))
    except HeimdallError as error:
        print(f"heimdall up: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _options(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python3 -m heimdall.deploy", description="Start the service with what this host can serve."
    )
    parser.add_argument("services", nargs="*", help="services of docker-compose.yml to start; by default all")
    parser.add_argument("--accelerator", choices=ACCELERATORS, default="auto")
    parser.add_argument("--project", type=Path, default=PROJECT, metavar="DIR", help="folder with docker-compose.yml")
    parser.add_argument("--no-build", action="store_false", dest="build", help="take the images as they are")
    parser.add_argument(
        "--timeout-s", type=float, default=600.0, help="how long to wait until all services are healthy, in s"
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")
    return Options(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
