"""The tables of the present revision; migrations/ holds frozen copies of what each revision made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from collector.domain.balances import AMOUNT_FIELDS
from collector.domain.ticks import FailReason, MissReason
from collector.storage.columns import Amount, Code, Millis, Seconds

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def one_of(column: str, values: type[FailReason | MissReason]) -> str:
    """SQL that holds when the column is one of an enumeration's words."""
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"


NOT_STORED = text("outcome <> 'stored'")
"""Stands literally in the partial index, and in each query that is to use it."""

STORED = " AND ".join(
    ["reason IS NULL", *(f"{c} IS NOT NULL" for c in ("received_at", "asset_count", "digest", "btc_requested"))]
)
FAILED = f"reason IS NOT NULL AND {one_of('reason', FailReason)} AND interval_s IS NOT NULL AND asset_count IS NULL"


def amount_checks(column: str) -> list[CheckConstraint]:
    """CHECKs that keep NaN, Infinity, signs and non-numbers out, each in the words of its engine."""
    refused = " AND ".join(f"{column} NOT GLOB '{pattern}'" for pattern in ("*[^0-9.]*", "*.*.*", "*."))
    plain = f"{column} GLOB '[0-9]*' AND {refused}"
    finite = f"{column} >= 0 AND {column} < 'Infinity'::numeric"
    return [
        CheckConstraint(plain, name=f"{column}_plain").ddl_if(dialect="sqlite"),
        CheckConstraint(finite, name=f"{column}_finite").ddl_if(dialect="postgresql"),
    ]


def keyed_table(name: str, *items: Any) -> Table:
    """A table whose rows lie in the order of its natural key."""
    return Table(name, metadata, *items, sqlite_strict=True, sqlite_with_rowid=False)


account = Table(
    "account",
    metadata,
    Column("id", Integer, Identity(), nullable=False),
    Column("name", Code, nullable=False),
    Column("created_at", Millis, nullable=False),
    Column("asset_scope", Code),
    Column("key_fingerprint", Text),
    Column("stopped_at", Millis),
    Column("stop_reason", Text),
    Column("probe_at", Millis),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
    CheckConstraint("name <> ''", name="named"),
    sqlite_strict=True,
)

schedule = keyed_table(
    "schedule",
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False),
    Column("from_at", Seconds, nullable=False),
    Column("interval_s", Integer),
    PrimaryKeyConstraint("account_id", "from_at"),
    CheckConstraint("interval_s BETWEEN 1 AND 86400", name="interval"),
)

tick = keyed_table(
    "tick",
    Column("due_at", Seconds, nullable=False),
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False),
    Column("interval_s", Integer),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    Column("http_status", Integer),
    Column("code", Integer),
    Column("detail", Text),
    Column("attempts", Integer, nullable=False),
    Column("requested_at", Millis),
    Column("received_at", Millis),
    Column("recorded_at", Millis, nullable=False),
    Column("clock_offset_ms", Integer),
    Column("weight_used", Integer),
    Column("asset_count", Integer),
    Column("unpriced", Integer),
    Column("btc_total", Amount),
    Column("btc_requested", Integer),
    Column("digest", Text),
    Column("extra", Text),
    PrimaryKeyConstraint("account_id", "due_at"),
    CheckConstraint("interval_s BETWEEN 1 AND 86400", name="interval"),
    CheckConstraint("btc_requested IN (0, 1)", name="btc_requested"),
    # Each branch tests for NULL by itself: a CHECK passes when it comes out as NULL.
    CheckConstraint(
        f"CASE outcome WHEN 'stored' THEN {STORED} WHEN 'failed' THEN {FAILED} ELSE 1 = 0 END", name="outcome"
    ),
    *amount_checks("btc_total"),
)
# Serves gaps and reasons: the predicate has to stand in the query, and every column asked for has to be in the index.
not_stored = Index(
    "ix_tick_not_stored", tick.c.account_id, tick.c.due_at, tick.c.outcome, tick.c.interval_s, tick.c.reason
)


@event.listens_for(tick, "before_create")
def add_the_predicate(*_: Any, **__: Any) -> None:
    """Only now: to hear of its option SQLAlchemy loads PostgreSQL's whole dialect, a tenth of the start of a report."""
    for engine in ("sqlite", "postgresql"):
        not_stored.dialect_options[engine]["where"] = NOT_STORED


# due_at comes first because PostgreSQL aligns 8-byte columns: in key order each row would be 8 bytes longer.
balance = keyed_table(
    "balance",
    Column("due_at", Seconds, nullable=False),
    Column("account_id", Integer, nullable=False),
    Column("asset", Code, nullable=False),
    *(Column(name, Amount, nullable=False) for name in AMOUNT_FIELDS),
    Column("btc_valuation", Amount),
    PrimaryKeyConstraint("account_id", "due_at", "asset"),
    ForeignKeyConstraint(["account_id", "due_at"], ["tick.account_id", "tick.due_at"]),
    CheckConstraint("asset <> ''", name="asset"),
    *(check for name in (*AMOUNT_FIELDS, "btc_valuation") for check in amount_checks(name)),
)

# An account's rows come in the order of their keys, so that room between them would stay empty: a tenth of the index.
for table in (tick, balance):
    filled = DDL(f"ALTER INDEX pk_{table.name} SET (fillfactor = 100)")  # type: ignore[no-untyped-call]
    event.listen(table, "after_create", filled.execute_if(dialect="postgresql"))


def range_table(name: str, *items: Any) -> Table:
    """Ranges of grid instants, `start_at` and `last_due_at` both inclusive."""
    return keyed_table(
        name,
        Column("account_id", Integer, ForeignKey("account.id"), nullable=False),
        Column("start_at", Seconds, nullable=False),
        Column("last_due_at", Seconds, nullable=False),
        Column("interval_s", Integer, nullable=False),
        Column("ticks", Integer, nullable=False),
        *items,
        PrimaryKeyConstraint("account_id", "start_at"),
        CheckConstraint("interval_s BETWEEN 1 AND 86400", name="interval"),
        CheckConstraint(
            "last_due_at = start_at + (ticks - 1) * interval_s AND ticks >= 1",
            name="ticks",
        ).ddl_if(dialect="sqlite"),
        CheckConstraint(
            "last_due_at = start_at + (ticks - 1) * interval_s * interval '1 second' AND ticks >= 1", name="ticks"
        ).ddl_if(dialect="postgresql"),
    )


missed = range_table(
    "missed",
    Column("reason", Text, nullable=False),
    CheckConstraint(one_of("reason", MissReason), name="reason"),
)
thinned = range_table("thinned")

known_asset = keyed_table(
    "known_asset",
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False),
    Column("asset", Code, nullable=False),
    Column("first_due_at", Seconds, nullable=False),
    PrimaryKeyConstraint("account_id", "asset"),
)

price = keyed_table(
    "price",
    Column("due_at", Seconds, nullable=False),
    Column("base", Code, nullable=False),
    Column("quote", Code, nullable=False),
    Column("price", Amount, nullable=False),
    PrimaryKeyConstraint("due_at", "base", "quote"),
    *amount_checks("price"),
)

wait = keyed_table(
    "wait",
    Column("scope", Text, nullable=False),
    Column("until", Millis, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("scope"),
    CheckConstraint(one_of("reason", FailReason), name="reason"),
)

daemon_run = keyed_table(
    "daemon_run",
    Column("host", Text, nullable=False),
    Column("started_at", Millis, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("ended_at", Millis),
    Column("clean", Integer),
    Column("version", Text, nullable=False),
    PrimaryKeyConstraint("host", "started_at"),
    CheckConstraint("clean IN (0, 1)", name="clean"),
)
