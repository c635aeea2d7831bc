"""`heimdall token`: who may use the API."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, print_json, print_table
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.service.database.store import Store

tokens = typer.Typer(help="Create, list and revoke tokens of the API.", no_args_is_help=True)
app.add_typer(tokens, name="token")


@tokens.command()
def create(
    name: Annotated[str, typer.Option(help="The person or program that will use it.")],
    role: Annotated[str, typer.Option(help="Role of the token: viewer, operator or admin.")] = "viewer",
    days: Annotated[
        float | None,
        typer.Option(min=1e-3, max=36_500, help="Days after which the token expires; by default it never does."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Make a token and print it: it is shown only once."""
    from heimdall.service.auth import Role, create_token

    if role not in list(Role):
        raise InputError(f"--role is {role!r}: choose {', '.join(Role)}")
    with _store() as store, store.writing() as session:
        word = create_token(session, name, Role(role), days)
    print_json({"token": word, "name": name, "role": role}) if json_ else typer.echo(word)


@tokens.command("list")
def list_(json_: JsonOption = False) -> None:
    """List the tokens (not the words themselves, which are kept nowhere)."""
    from heimdall.service.auth import list_tokens

    with _store() as store, store.reading() as session:
        found = [
            {"id": token.id, "name": token.name, "role": token.role, "created_utc": _utc(token.created_unix_s)}
            | _end(token.revoked_unix_s)
            for token in list_tokens(session)
        ]
    if json_:
        return print_json({"tokens": found})
    table = Table("id", "name", "role", "created", "revoked or expired", "expires")
    for token in found:
        table.add_row(*(value or "" for value in token.values()))
    print_table(table)


@tokens.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="Id of the token, as `heimdall token list` shows it.")],
) -> None:
    """Revoke a token, so that it stops working."""
    from heimdall.service.auth import revoke_token

    with _store() as store, store.writing() as session:
        revoke_token(session, token_id)


def _end(revoked_unix_s: float | None) -> dict[str, str | None]:
    is_over = revoked_unix_s is not None and revoked_unix_s <= time.time()
    end = _utc(revoked_unix_s)
    return {"revoked_utc": end if is_over else None, "expires_utc": None if is_over else end}


def _store() -> AbstractContextManager[Store]:
    from heimdall.service.database.migrate import opened
    from heimdall.service.settings import load_settings

    return opened(load_settings())


def _utc(unix_s: float | None) -> str | None:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds") if unix_s is not None else None
