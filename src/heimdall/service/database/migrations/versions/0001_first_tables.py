"""Jobs, events, models, tokens and workers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_jobs()
    _create_job_events()
    _create_models()
    _create_tokens()
    _create_workers()


def downgrade() -> None:
    for table in ("workers", "tokens", "models", "job_events", "jobs"):
        op.drop_table(table)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_unix_s", sa.Double, nullable=False),
        sa.Column("updated_unix_s", sa.Double, nullable=False),
        sa.Column("started_unix_s", sa.Double),
        sa.Column("finished_unix_s", sa.Double),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("attempts_max", sa.Integer, nullable=False),
        sa.Column("lease", sa.String(64), unique=True),
        sa.Column("worker", sa.Text),
        sa.Column("heartbeat_unix_s", sa.Double),
        sa.Column("accelerator", sa.String(8)),
        sa.Column("accelerator_requested", sa.String(8)),
        sa.Column("accelerator_used", sa.String(8)),
        sa.Column("accelerator_reason", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("precision", sa.String(32)),
        sa.Column("step", sa.Integer),
        sa.Column("steps_total", sa.Integer),
        sa.Column("fraction", sa.Double),
        sa.Column("eta_s", sa.Double),
        sa.Column("loss", sa.Double),
        sa.Column("phase", sa.String(32)),
        sa.Column("checkpoint", sa.Text),
        sa.Column("checkpoint_unix_s", sa.Double),
        sa.Column("error", sa.Text),
        sa.Column("result", sa.JSON),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "created_unix_s"])


def _create_job_events() -> None:
    op.create_table(
        "job_events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at_unix_s", sa.Double, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_index("job_events_by_job", "job_events", ["job_id", "id"])


def _create_models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="SET NULL"), unique=True),
        sa.Column("artifact", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
        sa.Column("created_unix_s", sa.Double, nullable=False),
    )


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("created_unix_s", sa.Double, nullable=False),
        sa.Column("revoked_unix_s", sa.Double),
    )


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("started_unix_s", sa.Double, nullable=False),
        sa.Column("heartbeat_unix_s", sa.Double, nullable=False),
        sa.Column("accelerator", sa.String(8), nullable=False),
        sa.Column("gpu_usable", sa.Boolean, nullable=False),
        sa.Column("gpu_reason", sa.Text),
        sa.Column("devices", sa.JSON, nullable=False),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("doctor", sa.JSON),
    )
