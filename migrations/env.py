"""Run migrations on the connection that the program hands over, or on the configured database."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from collector.storage.engine import open_engine
from collector.storage.schema import metadata


def run(connection: Connection) -> None:
    """Run the chain in one transaction, so that an interrupted migration leaves the old state."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


def configured_database() -> str:
    """The database that the program itself would use."""
    from collector.config.loading import load  # noqa: PLC0415 - only when Alembic is called directly

    return load(path=None, environ=os.environ, flags={}).database


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    # The program's own engine factory: only with its BEGIN does SQLite roll a migration back.
    with open_engine(configured_database(), "migration").connect() as opened:
        run(opened)
        opened.commit()
