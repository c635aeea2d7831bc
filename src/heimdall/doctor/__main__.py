"""`python3 -m heimdall.doctor`: the doctor on a bare host, from the source tree, with nothing installed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from heimdall.doctor.command import Options, run_doctor
from heimdall.errors import HeimdallError, quietly


def main(arguments: list[str] | None = None) -> int:
    return quietly(lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        return run_doctor(_options(arguments))
    except HeimdallError as error:
        print(f"heimdall doctor: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _options(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python3 -m heimdall.doctor",
        description="Find out why the GPU is not used, and what to type. Exit code 1: a fault was found.",
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="examine the files below DIR")
    parser.add_argument("--fix", action="store_true", help="show what can safely be mended, ask, and do it")
    parser.add_argument("--recipe", help="compare the memory this recipe needs with the card's")
    parser.add_argument(
        "--plan-json",
        type=Path,
        metavar="FILE",
        help="compare the memory of this plan, from heimdall train --plan --json",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="explain the errors in this log as well")
    return Options(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
