"""Databases as each revision left them, with a history, kept as SQL in tests/data: what migrations are tested on.

`python -m tests.frozen` writes those of the newest revision anew. That is for a revision that nobody has yet: once it
is released its files stay as they are, for ever, and so do migrations/sql and migrations/versions.
"""

import sys
import tempfile
from pathlib import Path

from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.storage import registry, upkeep
from collector.storage.record import Recorder
from collector.storage.revisions import REVISIONS
from collector.storage.schema import metadata
from tests.ledgers import T0, ask, failed, held, instant, record, recorder, register, snapshot, stored
from tests.lives import prune
from tests.postgres import any_server

DATA = Path(__file__).parent / "data"
END = ";\n\n"
RENEW = "python -m tests.frozen"
HEAD = "-- A database as revision {0} left it on {1}, with a history. Written by `" + RENEW + "`; never edited."
NEXT_ID = "SELECT setval(pg_get_serial_sequence('account', 'id'), (SELECT max(id) FROM account))"


def path(revision: str, engine: str) -> Path:
    """Where the database of a revision is kept."""
    return DATA / f"schema_{revision}.{engine}.sql"


def thaw(url: str, revision: str) -> None:
    """Make an empty database what that revision left."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch(mode=0o600)
    for statement in path(revision, engine_of(url)).read_text(encoding="utf-8").split(END)[1:]:
        ask(url, statement.removesuffix(";\n"))


def freeze(url: str, revision: str) -> str:
    """A database of that revision as text: the statements that made its tables, then its rows."""
    engine = engine_of(url)
    sql = upkeep.migrations_folder() / "sql"
    made = [
        file.read_text(encoding="utf-8")
        for file in sorted(sql.glob(f"*_up.{engine}.sql"))
        if file.name <= f"{revision}_v"
    ]
    tables = [statement.removesuffix(";") for text in made for statement in text.rstrip().split(END)]
    version = ["CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"]
    rows = [
        statement for name in ("alembic_version", *map(str, metadata.sorted_tables)) for statement in inserts(url, name)
    ]
    last = [] if engine == "sqlite" else [NEXT_ID]
    return END.join([HEAD.format(revision, engine), *tables, *version, *rows, *last]) + ";\n"


def inserts(url: str, table: str) -> list[str]:
    """The rows of a table as statements, in a fixed order."""
    quoted = "quote({0})" if url.startswith("sqlite") else "quote_nullable({0}::text)"
    names = columns(url, table)
    values = ", ".join(quoted.format(name) for name in names)
    lines = sorted(", ".join(map(str, row)) for row in ask(url, f"SELECT {values} FROM {table}"))
    return [f"INSERT INTO {table} ({', '.join(names)}) VALUES ({line})" for line in lines]


def columns(url: str, table: str) -> list[str]:
    """The columns of a table, in order."""
    if url.startswith("sqlite"):
        return [str(name) for (name,) in ask(url, f"SELECT name FROM pragma_table_info('{table}')")]
    asked = f"attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    return [str(name) for (name,) in ask(url, f"SELECT attname FROM pg_attribute WHERE {asked}")]


def engine_of(url: str) -> str:
    """The engine's name in files."""
    return "sqlite" if url.startswith("sqlite") else "postgresql"


def fill(url: str) -> None:
    """A history with every kind of row."""
    with recorder(url) as writer:
        _live(writer)
    price = f"INSERT INTO price (due_at, base, quote, price) VALUES ({instant(url, T0)}, 'BTC', 'EUR', '35000.10')"
    wait = f"INSERT INTO wait (scope, until, reason) VALUES ('ip', {instant(url, T0)}, 'banned')"
    for statement in (price, wait):
        ask(url, statement)


def _live(writer: Recorder) -> None:
    account = register(writer)
    _schedule(writer, account.id, 60, T0)
    awkward = snapshot(
        held("BTC", "0.50000000", btc_valuation="0.50000000"),
        held("币安人生", "123456789012345678901234567890.1234567890", locked="0.0000001", btc_valuation="0.00000000"),
        held("it's", "1", frozen="0.0", btc_valuation="0.1"),
        extra={"BTC": {"new \\ field": '"a\\tb"'}},
    )
    for n in (0, 1, 2, 3, 8):
        record(writer, stored(account, T0 + 60 * n, awkward if n % 2 else snapshot()))
    record(writer, failed(account, T0 + 240, FailReason.BANNED))
    missed = TickRange(start_at=T0 + 300, last_due_at=T0 + 420, interval_s=60)
    writer.record_missed(account.id, missed, MissReason.WAITING)
    record(
        writer,
        stored(account, T0 + 30, snapshot(held("ETH", btc_valuation=None), btc_requested=False), interval_s=None),
    )
    with writer.transaction() as connection:
        prune(connection, account.id, [T0 + 60, T0 + 120], 60)
        registry.note_key(connection, account.id, "0123456789abcdef")
        registry.note_run(connection, host="h", pid=7, started_at_ms=T0 * 1000 + 1, version="0.1.0")
        registry.note_run_end(connection, host="h", started_at_ms=T0 * 1000 + 1, ended_at_ms=T0 * 1000 + 2)
    _schedule(writer, account.id, None, T0 + 500)
    other = register(writer, "only BTC", asset_scope="BTC")
    _schedule(writer, other.id, 300, T0)
    with writer.transaction() as connection:
        registry.note_stop(connection, other.id, stopped_at_ms=T0 * 1000 + 7, reason="key_rejected", probe_at_ms=None)


def _schedule(writer: Recorder, account_id: int, interval_s: int | None, now_s: int) -> None:
    with writer.transaction() as connection:
        registry.open_ledger(connection, account_id, interval_s=interval_s, now_s=now_s)


def write(url: str) -> Path:
    """Fill an empty database by the present program, and keep it as that of the newest revision."""
    upkeep.upgrade(url)
    fill(url)
    kept = path(REVISIONS[-1], engine_of(url))
    kept.write_text(freeze(url, REVISIONS[-1]), encoding="utf-8")
    return kept


def main() -> int:
    """Write both files of the newest revision."""
    with tempfile.TemporaryDirectory() as folder, any_server() as server:
        name = server.create_database()
        made = [write(f"sqlite:///{folder}/frozen.db"), write(server.url(name))]
        server.drop_database(name)
    sys.stdout.writelines(f"{one}\n" for one in made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
