"""Writes into a database what its own constraints would refuse: what a broken disk or program might leave."""

import sqlite3
from contextlib import closing

import psycopg
from sqlalchemy import make_url


def plant(url: str, *statements: str, without: str | None = None) -> None:
    """Run statements with foreign keys and CHECKs off; on PostgreSQL the CHECK `without` (`table.name`) is dropped."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("PRAGMA ignore_check_constraints=ON")
            for statement in statements:
                connection.execute(statement)
        return
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as server:
        server.execute(b"SET session_replication_role = replica")
        if without:
            table, _, name = without.partition(".")
            server.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
        for statement in statements:
            server.execute(statement.encode())
