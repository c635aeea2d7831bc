"""Aliases of models, stations (receivers) and stored sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_aliases()
    _create_stations()
    _create_sessions()


def downgrade() -> None:
    for table in ("sessions", "stations", "aliases"):
        op.drop_table(table)


def _create_aliases() -> None:
    op.create_table(
        "aliases",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("model_id", sa.String(32), sa.ForeignKey("models.id"), nullable=False),
        sa.Column("moved_unix_s", sa.Double, nullable=False),
        sa.Column("moved_by", sa.Text, nullable=False),
        sa.Column("reason", sa.JSON, nullable=False),
    )


def _create_stations() -> None:
    op.create_table(
        "stations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("latitude_deg", sa.Double, nullable=False),
        sa.Column("longitude_deg", sa.Double, nullable=False),
        sa.Column("height_m", sa.Double, nullable=False),
        sa.Column("clock_sigma_s", sa.Double),
        sa.Column("level_sigma_db", sa.Double),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("correction", sa.JSON),
        sa.Column("created_unix_s", sa.Double, nullable=False),
        sa.Column("updated_unix_s", sa.Double, nullable=False),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_unix_s", sa.Double, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
    )
