"""`heimdall serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from heimdall.cli.app import app


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; by default HEIMDALL_HOST, or 127.0.0.1.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; by default HEIMDALL_PORT, or 8000.")] = None,
    worker: Annotated[
        bool | None,
        typer.Option(help="Run a worker beside the API; by default if no database or broker is configured."),
    ] = None,
) -> int:
    """Serve the API and the page; with nothing configured, everything they need runs with them."""
    from heimdall.service.serve import run_serve
    from heimdall.service.settings import load_settings
    from heimdall.web import install

    return run_serve(load_settings(host=host, port=port), with_worker=worker, decorate=install)
