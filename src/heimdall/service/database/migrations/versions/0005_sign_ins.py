"""Browsers that signed in: a word of their own in place of the token."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("expires_unix_s", sa.Double, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("sign_ins")
