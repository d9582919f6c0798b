"""Databases that can't be written for a while, by means that happen in life."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy import make_url

from tests.ledgers import ask


@contextmanager
def unwritable(url: str) -> Iterator[None]:
    """SQLite: another program holds the write lock. PostgreSQL: the server only reads, like a standby."""
    if url.startswith("sqlite"):
        with locked(url):
            yield
        return
    name = make_url(url).database
    ask(url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    hang_up(url)
    try:
        yield
    finally:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as server:
            server.execute("SET default_transaction_read_only = off")
            server.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
        hang_up(url)


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program is in the middle of a transaction on an SQLite file."""
    with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def hang_up(url: str) -> None:
    """End every other session of a PostgreSQL database."""
    ask(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
