"""`heimdall worker`."""

from __future__ import annotations

from typing import Annotated

import typer

from heimdall.cli.app import app


@app.command()
def worker(
    health_port: Annotated[
        int | None, typer.Option(help="Port of /health, /ready and /metrics; by default HEIMDALL_HEALTH_PORT, or 8002.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of this worker; by default HEIMDALL_WORKER_NAME, or the host name.")
    ] = None,
) -> int:
    """Take jobs and run each as a process of its own, one on each device; SIGTERM checkpoints and requeues them."""
    from heimdall.service.settings import load_settings
    from heimdall.service.worker.main import run_worker

    return run_worker(load_settings(health_port=health_port, worker_name=name))
