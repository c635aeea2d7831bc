"""The command line's frame: registration, errors as one line, exit codes."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import typer

from heimdall import __version__
from heimdall.errors import HeimdallError, quietly
from heimdall.files import disk

app = typer.Typer(
    name="heimdall",
    help="Locate a radio transmitter from what several distant receivers heard, and say honestly how sure it is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="-v anywhere shows the traceback of an error.",
)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line: exit 0 done, 1 it ran and found a fault, 2 the input or the call is wrong."""
    # Threads that spin while they wait starve each other on a busy machine: five times the CPU time for the same step.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # The matrices of evidence are small: threads of the linear algebra only wait for each other there.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments, verbose = _take_verbose(sys.argv[1:])
    _register_commands(arguments)
    sys.exit(disk.exit_code_of(lambda: quietly(lambda: _run(arguments or ["--help"], verbose))))


def _take_verbose(arguments: list[str]) -> tuple[list[str], bool]:
    rest = [argument for argument in arguments if argument not in ("-v", "--verbose")]
    return rest, len(rest) < len(arguments)


def _register_commands(arguments: list[str]) -> None:
    """Import what registers the command that is called: the module of its name and those whose names go on from it.

    Without a command that there is, as for the help, every one: loading what is not called takes seconds.
    """
    found = {path.stem: f"heimdall.cli.{path.parent.name}.{path.stem}" for path in _commands()}
    word = arguments[0] if arguments else ""
    called = [name for name in found if name == word or name.startswith(f"{word}_")] if word in found else found
    for name in sorted(called):
        importlib.import_module(found[name])


def _commands() -> Iterator[Path]:
    """The modules with commands: those in folders beside this one, by what a person does there."""
    return (path for path in Path(__file__).parent.glob("*/*.py") if path.stem != "__init__")


def _run(arguments: list[str], verbose: bool) -> int:
    try:
        result = typer.main.get_command(app).main(arguments, prog_name="heimdall", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except HeimdallError as error:
        return _fail(error, str(error), error.exit_code, verbose)
    except typer.TyperException as error:
        command = " ".join(["heimdall", *arguments[:1]]) if _is_command(arguments) else "heimdall"
        return _fail(error, f"{error.format_message()} See: {command} --help", 2, verbose)
    except (KeyboardInterrupt, typer.Abort) as error:
        return _fail(error, "stopped by the user", 130, verbose)
    except BrokenPipeError:
        raise
    except Exception as error:
        if disk.is_disk_full(error):
            return _fail(error, disk.FULL, disk.EXIT_CODE, verbose)
        # SQLAlchemy's own text quotes the statement with its values, which may be secret.
        why = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
        return _fail(error, f"internal error: {why} (-v shows where; please report it)", 1, verbose)


def _is_command(arguments: list[str]) -> bool:
    return bool(arguments) and arguments[0] in {command.name for command in app.registered_commands}


def _fail(error: BaseException, message: str, code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exception(error)
    print(f"heimdall: {' '.join(message.split())}", file=sys.stderr)
    return code
