"""Whose tables a database holds, and of which revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.errors import DatabaseError, SchemaMissingError, SchemaVersionError
from collector.storage.urls import describe

if TYPE_CHECKING:
    from collector.storage.reader import Reader

REVISIONS = ("0001",)
"""Every revision of migrations/versions, oldest first; the last one is what this program reads and writes."""

UNFINISHED = "unfinished copy"
"""Stands for a revision in a database that a copy is still filling."""

SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
HAS_TABLES = {
    False: f"SELECT 1 FROM ({SQLITE_TABLES}) WHERE name = 'alembic_version'",
    True: "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL",
}


def current_revision(reader: Reader) -> str | None:
    """The revision of the tables, None when there are none."""
    if reader.value(HAS_TABLES[reader.words.postgresql]) is None:
        return None
    found = reader.value("SELECT version_num FROM alembic_version")
    return None if found is None else str(found)


def refuse_foreign(reader: Reader) -> None:
    """Raise DatabaseError for an SQLite file that another program has filled; a server may serve several."""
    tables = [] if reader.words.postgresql else [name for (name,) in reader.all(SQLITE_TABLES)]
    if tables and "alembic_version" not in tables:
        raise DatabaseError(
            f"{describe(reader.url)} belongs to another program: it is left as it is, name another file"
        )


def check_schema(reader: Reader) -> None:
    """Raise a sentence with the command that helps unless the tables are those of this program."""
    revision, where = current_revision(reader), describe(reader.url)
    if revision is None:
        refuse_foreign(reader)
        by = "" if reader.words.postgresql else "'collector run' or "
        raise SchemaMissingError(f"{where} has no tables yet: {by}'collector db upgrade' makes them")
    check_known(reader, revision)
    if revision != REVISIONS[-1]:
        raise SchemaVersionError(
            f"{where} is at revision {revision}, this version needs {REVISIONS[-1]}: run 'collector db upgrade'"
        )


def check_known(reader: Reader, revision: str | None) -> None:
    """Raise when the tables were made by a newer program, or hold only a part of what is being copied into them."""
    if revision == UNFINISHED:
        raise SchemaVersionError(
            f"{describe(reader.url)} is a copy that is not finished: run 'collector db copy' or 'collector db restore' "
            "again, whichever began it"
        )
    if revision is not None and revision not in REVISIONS:
        raise SchemaVersionError(
            f"{describe(reader.url)} is at revision {revision}, which this version does not know: install a newer "
            "collector"
        )
