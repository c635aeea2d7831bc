"""What jobs need, what workers offer, and where a job's run folder lies in the artifact store."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ADDED = {
    "jobs": {
        "needs_gpu": sa.Boolean,
        "needs_gpu_memory_gb": sa.Double,
        "needs_memory_gb": sa.Double,
        "carried": sa.Text,
    },
    "workers": {"takes": sa.JSON, "memory_gb": sa.Double, "gpu_memory_gb": sa.JSON},
}


def upgrade() -> None:
    for table, columns in _ADDED.items():
        for name, kind in columns.items():
            if kind is sa.Boolean:
                op.add_column(table, sa.Column(name, kind, nullable=False, server_default=sa.false()))
            else:
                op.add_column(table, sa.Column(name, kind))


def downgrade() -> None:
    for table, columns in _ADDED.items():
        for name in columns:
            op.drop_column(table, name)
