"""A Ray cluster as the command line names it. Ray is loaded only where one is asked for."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from heimdall.errors import HeimdallError, InputError

OWN = "local"
"""The address of a cluster of this machine that ends with the program."""
_CLIENT, _NODE = "ray://", "ray:"
_PLACE = re.compile(r"^[^\s:/]+:\d+$|^\[[0-9a-fA-F:]+\]:\d+$")
_OBJECT_STORE_BYTES = 128 * 2**20
"""Size of the object store of a cluster that we start; nothing large passes through it."""


def ray_address(on: str) -> str:
    """Ray's own spelling of `--on`.

    `ray` is what RAY_ADDRESS says, or a cluster of its own; `ray://` a client's port, `ray:` the port that nodes use.
    """
    if on == "ray":
        return os.environ.get("RAY_ADDRESS") or OWN
    if on.startswith(_CLIENT) and _PLACE.match(on.removeprefix(_CLIENT)):
        return on
    if on.startswith(_NODE) and _PLACE.match(on.removeprefix(_NODE)):
        return on.removeprefix(_NODE)
    raise InputError(
        f"--on {on}: give ray, ray://HOST:PORT (Ray's client port, 10001) or ray:HOST:PORT (a node's, 6379)"
    )


def load_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's warning about what a later version will do with this variable; its default is what is wanted.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise InputError(f"--on ray needs {error.name or 'ray'}: pip install 'heimdall[scale]'") from error
    return ray


@contextmanager
def connected(ray: Any, address: str, workers: int = 1) -> Iterator[None]:
    """Within, Ray is at the address. A cluster of our own has room for `workers` at least."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == OWN:
        cores = max(len(os.sched_getaffinity(0)), workers)
        options |= {"num_cpus": cores, "include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    try:
        ray.init(address, **options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, ImportError) as error:
        raise HeimdallError(f"no Ray cluster at {address}: {_why(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _why(error: BaseException) -> str:
    if "AuthToken" in f"{error}{error.__cause__ or error.__context__}":
        return "it asks for a token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH"
    return one_line(error)


def one_line(error: BaseException) -> str:
    """The last line of Ray's account is the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
