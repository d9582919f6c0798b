"""A cursor of the driver itself, beneath a connection of SQLAlchemy."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exc


def cursor_of(connection: Connection, *options: Any) -> Any:
    """A cursor inside the connection's transaction; psycopg takes the name of a cursor of the server."""
    return connection.connection.cursor(*options)


class Driver:
    """Gives a cursor, whose errors are told as SQLAlchemy tells them."""

    __slots__ = ("_connection", "_cursor", "_options")

    def __init__(self, connection: Connection, *options: Any) -> None:
        self._connection, self._options = connection, options

    def __enter__(self) -> Any:
        self._cursor = cursor_of(self._connection, *self._options)
        return self._cursor

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._cursor.close()
        base = self._connection.dialect.loaded_dbapi.Error
        if isinstance(error, base):
            raise exc.DBAPIError.instance(None, None, error, base, hide_parameters=True) from error
