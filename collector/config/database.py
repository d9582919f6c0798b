"""Database URLs: which are accepted, in one spelling, and how they look without their password."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

SQLITE = "sqlite:///"
POSTGRES = "postgresql+psycopg://"
MAX_LENGTH = 4096
SECRET_PARAMETERS = ("password", "sslpassword")

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+]{1,30}):(?P<slashes>//)?(?P<rest>.*)", re.DOTALL)
_SQLITE_SCHEMES = {"sqlite", "sqlite+pysqlite"}
_POSTGRES_SCHEMES = {"postgresql", "postgresql+psycopg", "postgres"}

# A second @ can only come from a password that was not percent-encoded. Such a URL would be cut in the wrong
# place, and half of the password shown as the host: it is refused instead.
_POSTGRES_REST = re.compile(
    r"""
    (?: (?P<user> [^:/@]* ) (?: : (?P<password> [^@]* ) )? @ )?
    (?P<host> \[ [0-9A-Fa-f:.%\w]+ \] | [^/:?@\[\]]* )
    (?: : (?P<port> [0-9]{0,5} ) )?
    (?: / (?P<name> [^?@]* ) )?
    (?: \? (?P<query> [^@]* ) )?
    """,
    re.VERBOSE,
)


def normal_url(text: str, base: Path) -> str:
    """The one spelling of a database: `sqlite:////absolute/path` or `postgresql+psycopg://...`.

    A bare path is an SQLite file; a relative one starts at `base`. ValueError holds what a database must look like, and
    never the text itself, which may hold a password.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"must have at most {MAX_LENGTH} characters")
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ValueError("must not hold control characters")
    if any("\ud800" <= c <= "\udfff" for c in text):  # how Python reads such bytes from the environment
        raise ValueError("must be UTF-8 text")
    match = _SCHEME.fullmatch(text)
    if match is None:
        # No URL, but one may have been meant, with a password in it: in quotes, or of a kind that nobody knows.
        if "://" in text or "@" in text.partition(":")[2]:
            raise ValueError("must be a path, sqlite:///FILE or postgresql://USER@HOST/NAME, without quotes around it")
        return sqlite_url(file_at(text, base))
    if match["slashes"] is None:
        raise ValueError(
            "must be a path, sqlite:///FILE or postgresql://USER@HOST/NAME; after the first colon, // is missing"
        )
    return _of_engine(match["scheme"].lower(), match["rest"], base)


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return SQLITE + quote(str(path))


def spool_of(url: str, folder: Path) -> Path:
    """Where the spool of a database (as `normal_url` gives it) lies: beside an SQLite file, else in this folder.

    There its name tells the databases of different servers apart, whoever logs in and with whatever options.
    """
    if not url.startswith(POSTGRES):
        path = Path(os.path.realpath(unquote(url.removeprefix(SQLITE))))  # through a link it is found too
        return path.with_name(f"{path.name}.spool")
    match = _POSTGRES_REST.fullmatch(url.removeprefix(POSTGRES))
    said = {} if match is None else match.groupdict(default="")
    name = unquote(said.get("name", ""))
    several = sorted(value for key, value in parse_qsl(said.get("query", "")) if key in {"host", "port"})
    identity = "\0".join([said.get("host", ""), said.get("port", ""), *several, name])
    digest = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:12]
    return folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)[:40]}-{digest}.spool"


def masked_url(url: str) -> str:
    """A URL made by `normal_url`, its password as ***."""
    if not url.startswith(POSTGRES):
        return SQLITE + unquote(url.removeprefix(SQLITE))
    login, at, place = url.removeprefix(POSTGRES).rpartition("@")
    user, colon, _ = login.partition(":")
    place, question_mark, query = place.partition("?")
    query = "&".join(map(_masked_parameter, query.split("&")))
    return POSTGRES + user + (":***" if colon else "") + at + place + question_mark + query


def holds_password(url: str) -> bool:
    """True when anyone who reads the URL could log in with it."""
    return url.startswith(POSTGRES) and masked_url(url) != url


def _of_engine(scheme: str, rest: str, base: Path) -> str:
    if scheme in _SQLITE_SCHEMES:
        return sqlite_url(_sqlite_path(rest, base))
    if scheme not in _POSTGRES_SCHEMES:
        raise ValueError(f"must be sqlite:///FILE or postgresql://USER@HOST/NAME; {scheme!r} is not supported")
    if " " in rest or not _POSTGRES_REST.fullmatch(rest):
        raise ValueError(
            "must be like postgresql://USER:PASSWORD@HOST:PORT/NAME, "
            "special characters of the password percent-encoded (@ is %40)"
        )
    return POSTGRES + rest


def _sqlite_path(rest: str, base: Path) -> Path:
    path, question_mark, _ = rest.partition("?")
    if question_mark:
        raise ValueError("must not have options after the ? of an SQLite URL (a ? in a file's name is %3F)")
    if path and not path.startswith("/"):
        raise ValueError(
            "must have three slashes before a relative SQLite path (sqlite:///FILE) and four before an absolute one"
        )
    return file_at(unquote(path[1:]), base)


def file_at(path: str, base: Path) -> Path:
    """The file of this name, from `base` if it is relative. ValueError holds what is wrong with it."""
    if path in {"", ":memory:"}:
        raise ValueError("must name a file: a database in memory would be lost with the process")
    if path.endswith("/") or "\0" in path:
        raise ValueError("must name a file, not a folder")
    return Path(os.path.normpath(base / os.path.expanduser(path)))  # noqa: PTH111 - Path's raises for a ~name that is nobody


def _masked_parameter(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}{equals}***" if unquote(name).lower() in SECRET_PARAMETERS else pair
