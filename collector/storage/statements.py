"""The statements of the hot path: compiled once from Core and run by the driver itself, at twice Core's speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Engine, Insert, Table, bindparam, literal_column, select, text

from collector.domain.balances import Cells
from collector.storage.columns import Millis, Seconds, is_postgresql
from collector.storage.driver import Driver
from collector.storage.rows import BALANCE_COLUMNS
from collector.storage.schema import balance, known_asset, tick

EACH = f"""
INSERT INTO balance (due_at, account_id, {", ".join(BALANCE_COLUMNS)}) VALUES (?, ?{", ?" * len(BALANCE_COLUMNS)})
"""
# One statement for all rows; with RETURNING or executemany PostgreSQL takes half again as long.
AMOUNT_ARRAYS = ", ".join(f"%({name})s::text[]::numeric[]" for name in BALANCE_COLUMNS[1:])
UNNEST = f"""
INSERT INTO balance (due_at, account_id, {", ".join(BALANCE_COLUMNS)})
SELECT %(due_at)s, %(account_id)s, u.* FROM unnest(%(asset)s::text[], {AMOUNT_ARRAYS}) AS u
"""

# Asked along with the write of every tick: a question of its own would cost as much as the tick itself.
LIES_IN_A_RANGE = """
coalesce((SELECT m.last_due_at FROM missed AS m WHERE m.account_id = tick.account_id AND m.start_at <= tick.due_at
    ORDER BY m.start_at DESC LIMIT 1) >= tick.due_at, 1 = 0)
"""

Bind = Callable[[Any], Any]


def upsert_into(table: Table, engine: Engine) -> Any:
    """The engine's INSERT with ON CONFLICT."""
    # Only now: the dialects take a tenth of the time in which a report starts, and a report writes nothing.
    if is_postgresql(engine.dialect):
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert(table)


class Written(NamedTuple):
    """Whether a tick became its instant's answer, and whether that may lie in a range of missed ones."""

    won: bool
    in_missed: bool


class TickUpsert:
    """Insert a tick, or turn a failed one into this one; never over a stored one."""

    def __init__(self, engine: Engine) -> None:
        new = upsert_into(tick, engine)
        # A manual snapshot that replaces a failed tick of the grid keeps its place in the grid.
        changed = {c.name: new.excluded[c.name] for c in tick.c if not c.primary_key and c.name != "interval_s"}
        self._prepared = _Prepared(
            new.on_conflict_do_update(
                index_elements=["account_id", "due_at"], set_=changed, where=text("tick.outcome = 'failed'")
            ).returning(literal_column(LIES_IN_A_RANGE)),
            tick,
            engine,
        )

    def run(self, connection: Connection, row: dict[str, Any]) -> Written:
        """Write a row with a value for each column; it is not left as it is."""
        found = self._prepared.first(connection, row)
        return Written(won=found is not None, in_missed=found is None or bool(found[0]))


class BalanceInsert:
    """Insert all balances of one snapshot."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._instant = _binder(balance, "due_at", engine) or _as_it_is

    def run(self, connection: Connection, account_id: int, due_at: int, rows: Sequence[Cells]) -> None:
        """Write every row; none of them may be there."""
        if not rows:
            return
        if is_postgresql(self._engine.dialect):
            columns = dict(zip(BALANCE_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
            values = {"due_at": self._instant(due_at), "account_id": account_id, **columns}
            with Driver(connection) as driver:
                driver.execute(UNNEST, values)
        else:
            with Driver(connection) as driver:
                driver.executemany(EACH, [(due_at, account_id, *row) for row in rows])


class FirstSeen:
    """Read when each asset of an account was first seen."""

    def __init__(self, engine: Engine) -> None:
        first_due_at = known_asset.c.first_due_at
        of_account = known_asset.c.account_id == bindparam("account_id")
        compiled = select(known_asset.c.asset, first_due_at).where(of_account).compile(dialect=engine.dialect)
        self._sql, self._positional = str(compiled), compiled.positional
        self._instant = _reader(first_due_at, engine)

    def run(self, connection: Connection, account_id: int) -> dict[str, int]:
        """Each asset with the instant of its first snapshot."""
        values = (account_id,) if self._positional else {"account_id": account_id}
        with Driver(connection) as driver:
            rows = driver.execute(self._sql, values).fetchall()
        return {asset: self._instant(first_due_at) for asset, first_due_at in rows}


class AssetUpsert:
    """Note when assets were first seen; an earlier instant replaces a later one."""

    def __init__(self, engine: Engine) -> None:
        new = upsert_into(known_asset, engine)
        earlier = new.excluded.first_due_at
        self._prepared = _Prepared(
            new.on_conflict_do_update(
                index_elements=["account_id", "asset"],
                set_={"first_due_at": earlier},
                where=earlier < known_asset.c.first_due_at,
            ),
            known_asset,
            engine,
        )

    def run(self, connection: Connection, account_id: int, due_at: int, assets: Sequence[str]) -> None:
        """Write a row for each asset."""
        key = {"account_id": account_id, "first_due_at": due_at}
        self._prepared.many(connection, [key | {"asset": asset} for asset in assets])


class _Prepared:
    """A statement as text for the driver, with the conversions of its columns."""

    def __init__(self, statement: Insert, table: Table, engine: Engine) -> None:
        compiled = statement.compile(dialect=engine.dialect, column_keys=[c.name for c in table.c])
        self._sql = str(compiled)
        binders = {name: _binder(table, name, engine) for name in table.c.keys()}  # noqa: SIM118 - names, not columns
        self._binders = [(name, bind) for name, bind in binders.items() if bind is not None]
        self._in_order = None if compiled.positiontup is None else itemgetter(*compiled.positiontup)

    def first(self, connection: Connection, row: dict[str, Any]) -> Sequence[Any] | None:
        values = self._values(row)
        with Driver(connection) as driver:
            found: Sequence[Any] | None = driver.execute(self._sql, values).fetchone()
            return found

    def many(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        values = [self._values(row) for row in rows]
        with Driver(connection) as driver:
            driver.executemany(self._sql, values)

    def _values(self, row: dict[str, Any]) -> Any:
        for name, bind in self._binders:
            row[name] = bind(row[name])
        return row if self._in_order is None else self._in_order(row)


def _binder(table: Table, column: str, engine: Engine) -> Bind | None:
    """What turns a value of the column into the driver's, None for one that stays as it is."""
    kind = table.c[column].type
    if isinstance(kind, Seconds | Millis) and not is_postgresql(engine.dialect):
        return None
    return kind.dialect_impl(engine.dialect).bind_processor(engine.dialect)


def _reader(column: Column[Any], engine: Engine) -> Bind:
    return column.type.dialect_impl(engine.dialect).result_processor(engine.dialect, None) or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
