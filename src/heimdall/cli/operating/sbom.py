"""`heimdall sbom`: what is installed here, in which release, under which licence."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, print_json


@app.command()
def sbom(
    json_: JsonOption = False,
    licences: Annotated[bool, typer.Option("--licences", help="A table of licences instead of the list.")] = False,
) -> None:
    """List every Python package of this installation: CycloneDX 1.6 with --json, else a table."""
    from heimdall.cli.inventory import cyclonedx, packages

    found = packages()
    if json_:
        return print_json(cyclonedx(found))
    if licences:
        table = Table("licence", "packages")
        for licence in sorted({package.licence for package in found}):
            table.add_row(licence, ", ".join(each.name for each in found if each.licence == licence))
    else:
        table = Table("package", "version", "licence")
        for package in found:
            table.add_row(package.name, package.version, package.licence)
    from rich.console import Console

    Console().print(table)
