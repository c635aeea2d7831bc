"""Make the service's passwords once, and lay into each service's volume those it needs: `make_secrets.py FOLDER`.

All of them stay together in FOLDER/heimdall, which no server sees. A password that exists is kept, whatever else changes,
because the database was made with it.
"""

import os
import secrets
import sys
from pathlib import Path

NAMES = ("database_password", "broker_password", "admin_token", "mlflow_password")
READERS = {
    "api": ("database_password", "broker_password", "admin_token"),
    "training": ("database_password", "broker_password"),
    "postgres": ("database_password",),
    "valkey": ("broker_password",),
    "mlflow": ("mlflow_password",),
}
"""Who needs which; a volume each."""
OURS, THEIRS = 0o400, 0o444


def password(path: Path) -> str:
    if not path.exists():
        write(path, secrets.token_hex(32), OURS)
        print(f"made {path.name}")
    path.chmod(OURS)
    return path.read_text()


def write(path: Path, text: str, mode: int = THEIRS) -> None:
    """Whole or not at all. What a service gets, any user of that one container may read: it alone has the volume."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.chmod(mode)
    os.replace(temporary, path)


def main(folder: Path) -> None:
    made = {name: password(folder / "heimdall" / name) for name in NAMES}
    for reader, names in READERS.items():
        for name in names:
            write(folder / reader / name, made[name])
    (folder / "heimdall" / "valkey.conf").unlink(missing_ok=True)  # stood there when one volume was everybody's
    write(folder / "valkey" / "valkey.conf", valkey_configuration(made["broker_password"]))
    write(folder / "postgres-init" / "mlflow.sql", mlflow_database(made["mlflow_password"]))


def valkey_configuration(broker_password: str) -> str:
    lines = ("bind 0.0.0.0", "dir /data", 'save ""', "appendonly no", "maxmemory 256mb", "maxmemory-policy noeviction")
    return "\n".join([*lines, f"requirepass {broker_password}", ""])


def mlflow_database(mlflow_password: str) -> str:
    """A role of its own: the tracking server has no business in the jobs."""
    return f"CREATE ROLE mlflow LOGIN PASSWORD '{mlflow_password}';\nCREATE DATABASE mlflow OWNER mlflow;\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
