"""`heimdall export`: weights to a model bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import InputError


@app.command()
def export(
    run: Annotated[Path | None, typer.Argument(help="Folder of a run, or its checkpoint.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of a run, or its checkpoint, as an option instead of the argument.")
    ] = None,
    untrained: Annotated[
        str | None, typer.Option(help="Export a recipe with fresh weights instead of a run, to measure its speed.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File or folder to write NAME.heimdall to.")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder that gets the bundle and result.json.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="With --untrained: change a field of the recipe.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a bundle: one ONNX file, compared with torch before it is kept, with its manifest and model card."""
    from heimdall.runs.writer import RunWriter

    source = checkpoint or run
    if (source is None) == (untrained is None):
        raise InputError("name a run to export, or a recipe with --untrained")
    from heimdall.learning.run.bundling import export_run, export_untrained
    from heimdall.recipes import recipe_with

    target = output if run_dir is None else run_dir / "exported.heimdall"
    if untrained is not None:
        path = export_untrained(recipe_with(untrained, set_ or []), target)
    else:
        assert source is not None
        path = export_run(source, target)
    if run_dir is not None:
        folder = RunWriter(run_dir)
        folder.write_json("result.json", {"model": path.name, "scores": {}})
    if json:
        print_json({"model": str(path)})
    else:
        console.print(f"model: {path}", highlight=False)
