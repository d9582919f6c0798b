"""What a database is called: its SQLite file, and its name in messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from collector.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import URL

SQLITE = "sqlite:///"


def sqlite_file(url: str | URL) -> Path | None:
    """The file behind an SQLite URL; None for PostgreSQL. Raises DatabaseError for a database in memory."""
    if isinstance(url, str) and (path := _plain_path(url)):
        return Path(path)
    said = parsed(url)
    if said.get_backend_name() != "sqlite":
        return None
    if not said.database or said.database == ":memory:":
        raise DatabaseError("an SQLite database in memory keeps no history: use sqlite:///FILE")
    if said.query or said.database.startswith("file:"):
        raise DatabaseError("an SQLite database is a plain file here, without file: and parameters: use sqlite:///FILE")
    return Path(said.database)


def _plain_path(url: str) -> str | None:
    """The path in an SQLite URL that is nothing but one: SQLAlchemy, which knows them all, takes long to import."""
    plain = url.startswith(f"{SQLITE}/") and "?" not in url
    return unquote(url.removeprefix(SQLITE)) if plain else None


def parsed(url: str | URL) -> URL:
    """The parts of a URL. Raises DatabaseError for text that is none."""
    from sqlalchemy import exc, make_url  # noqa: PLC0415 - see _plain_path

    try:
        return make_url(url)
    except (exc.ArgumentError, ValueError):
        # Not even shown: it may hold a password anywhere.
        raise DatabaseError("the database's URL can't be read: use sqlite:///FILE or postgresql://...") from None


def describe(url: str | URL) -> str:
    """How messages name a database: without user, password or options."""
    if isinstance(url, str) and (path := _plain_path(url)):
        return f"database {path}"
    said = parsed(url)
    if said.get_backend_name() == "sqlite":
        return f"database {said.database}"
    from collector.storage.postgresql import hosts  # noqa: PLC0415 - see _plain_path

    return f"database {said.database or ''} at {', '.join(hosts(said))}"
