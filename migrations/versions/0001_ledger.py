"""The ledger: accounts, schedules, ticks, balances, missed and thinned ranges, and the views over them."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table, index and view."""
    _run("up")


def downgrade() -> None:
    """Drop all of it, history included."""
    _run("down")


def _run(direction: str) -> None:
    # Plain SQL: what a revision made must not change when the program's own definitions do.
    connection = op.get_bind()
    file = Path(__file__).parents[1] / "sql" / f"0001_{direction}.{connection.dialect.name}.sql"
    for statement in file.read_text(encoding="utf-8").split(";\n\n"):
        connection.exec_driver_sql(statement.rstrip().removesuffix(";"))
