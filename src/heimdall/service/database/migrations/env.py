"""Alembic runs this file; the connection comes from `heimdall.service.database.migrate`, which holds the lock."""

from alembic import context

from heimdall.service.database.migrate import VERSION_TABLE
from heimdall.service.database.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
)
context.run_migrations()
