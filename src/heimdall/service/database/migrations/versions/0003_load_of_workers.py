"""What each worker says of its memory, processors and GPUs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("load", sa.JSON))


def downgrade() -> None:
    op.drop_column("workers", "load")
