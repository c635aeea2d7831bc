"""Make the service's passwords once and lay them into the volumes: `make_secrets.py FOLDER`.

A password that exists is kept, whatever else changes, because the database was made with it.
"""

import os
import secrets
import sys
from pathlib import Path

NAMES = ("database_password", "broker_password", "admin_token", "mlflow_password")


def password(path: Path) -> str:
    if not path.exists():
        write(path, secrets.token_hex(32))
        print(f"made {path.name}")
    return path.read_text()


def write(path: Path, text: str) -> None:
    """Whole or not at all; readable to the users the other containers run as, who see the volume alone."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.chmod(0o444)
    os.replace(temporary, path)


def main(folder: Path) -> None:
    own = {name: password(folder / "heimdall" / name) for name in NAMES}
    write(folder / "heimdall" / "valkey.conf", valkey_configuration(own["broker_password"]))
    write(folder / "mlflow" / "mlflow_password", own["mlflow_password"])
    write(folder / "postgres-init" / "mlflow.sql", mlflow_database(own["mlflow_password"]))


def valkey_configuration(broker_password: str) -> str:
    lines = ("bind 0.0.0.0", "dir /data", 'save ""', "appendonly no", "maxmemory 256mb", "maxmemory-policy noeviction")
    return "\n".join([*lines, f"requirepass {broker_password}", ""])


def mlflow_database(mlflow_password: str) -> str:
    """A role of its own: the tracking server has no business in the jobs."""
    return f"CREATE ROLE mlflow LOGIN PASSWORD '{mlflow_password}';\nCREATE DATABASE mlflow OWNER mlflow;\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
