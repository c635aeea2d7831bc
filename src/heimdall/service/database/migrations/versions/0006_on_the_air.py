"""Receivers by address, jobs that record them, recordings with their fixes, and a bin for sessions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ADDED: dict[str, dict[str, Any]] = {
    "jobs": {"needs_capture": sa.Boolean, "capture": sa.JSON},
    "sessions": {
        "job_id": sa.String(32),
        "recording": sa.Text,
        "recorded": sa.JSON,
        "fix_state": sa.String(16),
        "fix_problem": sa.Text,
        "pinned": sa.Boolean,
        "deleted_unix_s": sa.Double,
        "deleted_by": sa.Text,
    },
}


def upgrade() -> None:
    for table, columns in _ADDED.items():
        for name, kind in columns.items():
            if kind is sa.Boolean:
                op.add_column(table, sa.Column(name, kind, nullable=False, server_default=sa.false()))
            else:
                op.add_column(table, sa.Column(name, kind))
    op.create_index("sessions_of_jobs", "sessions", ["job_id", "recording"], unique=True)
    _create_online_receivers()
    _create_fixes()


def downgrade() -> None:
    op.drop_table("fixes")
    op.drop_table("online_receivers")
    op.drop_index("sessions_of_jobs", "sessions")
    for table, columns in _ADDED.items():
        for name in columns:
            op.drop_column(table, name)


def _create_online_receivers() -> None:
    op.create_table(
        "online_receivers",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("address", sa.Text, nullable=False, unique=True),
        sa.Column("password", sa.Text),
        sa.Column("latitude_deg", sa.Double),
        sa.Column("longitude_deg", sa.Double),
        sa.Column("height_m", sa.Double),
        sa.Column("gain_db", sa.Double),
        sa.Column("ppm", sa.Double, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_unix_s", sa.Double, nullable=False),
        sa.Column("state", sa.JSON),
        sa.Column("asked_unix_s", sa.Double),
    )


def _create_fixes() -> None:
    op.create_table(
        "fixes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("session_id", sa.String(32), nullable=False, index=True),
        sa.Column("job_id", sa.String(32), index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("at_unix_s", sa.Double, nullable=False),
        sa.Column("frequency_hz", sa.Double, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("latitude_deg", sa.Double),
        sa.Column("longitude_deg", sa.Double),
        sa.Column("document", sa.JSON, nullable=False),
    )
    op.create_index("fixes_by_time", "fixes", ["at_unix_s"])
