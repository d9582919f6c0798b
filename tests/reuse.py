"""Migrated PostgreSQL databases that one test hands to the next: to empty one is much faster than to make one.

Only what a test has left as it found it goes on: a database whose definitions are not the template's own any more, or
that has grown, is dropped.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from collector.storage.schema import metadata
from tests.postgres import Databases

MOST_BYTES = 4 * 1024 * 1024  # what is deleted stays in the files, and would slow the next test

# Whatever changes a definition makes a row version with another xmin; what VACUUM and ANALYZE note does not.
CATALOGS = (
    "pg_class", "pg_attribute", "pg_attrdef", "pg_constraint", "pg_index", "pg_trigger", "pg_rewrite", "pg_proc",
    "pg_type", "pg_namespace", "pg_policy", "pg_extension", "pg_db_role_setting",
)  # fmt: skip
VERSIONS = " UNION ALL ".join(f"SELECT count(*), max(xmin::text::bigint) FROM {name}" for name in CATALOGS)
REVISION = "SELECT version_num FROM alembic_version"
ALONE = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
FIRST_NUMBERS = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"
BYTES = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"

Definitions = list[tuple[Any, ...]]


class Reused:
    """Copies of a template on one server."""

    def __init__(self, server: Databases, template: str) -> None:
        self._server = server
        self._template = template
        with self._connect(template) as connection:
            self._definitions = _definitions(connection)
        self._empty: list[str] = []

    @contextmanager
    def database(self) -> Iterator[str]:
        """The name of a database that is as the template is."""
        name = self._empty.pop() if self._empty else self._server.create_database(self._template)
        yield name
        if self._emptied(name):
            self._empty.append(name)
        else:
            self._server.drop_database(name)

    def _emptied(self, name: str) -> bool:
        try:
            with self._connect(name) as connection:
                connection.execute(ALONE)
                if _definitions(connection) != self._definitions or _size(connection) > MOST_BYTES:
                    return False
                for table in reversed(metadata.sorted_tables):
                    connection.execute(f'DELETE FROM "{table.name}"'.encode())
                connection.execute(FIRST_NUMBERS)
        except psycopg.Error:
            return False  # it is gone, or closed to us
        return True

    def _connect(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        url = make_url(self._server.url(name)).set(drivername="postgresql")
        return psycopg.connect(url.render_as_string(hide_password=False))


def _definitions(connection: psycopg.Connection[tuple[Any, ...]]) -> Definitions:
    return connection.execute(VERSIONS.encode()).fetchall() + connection.execute(REVISION).fetchall()


def _size(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    row = connection.execute(BYTES).fetchone()
    return int(row[0]) if row else 0
