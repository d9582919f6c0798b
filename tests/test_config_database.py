"""Database URLs are brought into one spelling, and never shown with their password."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from collector.config.database import holds_password, masked_url, normal_url, sqlite_url

BASE = Path("/base/folder")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("collector.db", "sqlite:////base/folder/collector.db"),
        ("../other/c.db", "sqlite:////base/other/c.db"),
        ("/var/lib/c.db", "sqlite:////var/lib/c.db"),
        ("a b?.db", "sqlite:////base/folder/a%20b%3F.db"),
        ("sqlite:///collector.db", "sqlite:////base/folder/collector.db"),
        ("sqlite:////var/lib/c.db", "sqlite:////var/lib/c.db"),
        ("sqlite:////a%20b%3F.db", "sqlite:////a%20b%3F.db"),
        ("sqlite+pysqlite:////c.db", "sqlite:////c.db"),
        ("SQLite:////c.db", "sqlite:////c.db"),
        ("postgresql://u:p@h:5432/db", "postgresql+psycopg://u:p@h:5432/db"),
        ("postgres://u@h/db", "postgresql+psycopg://u@h/db"),
        ("postgresql+psycopg:///db?host=/run/postgresql", "postgresql+psycopg:///db?host=/run/postgresql"),
        ("postgresql://u:p%40%2F@[::1]:1/db", "postgresql+psycopg://u:p%40%2F@[::1]:1/db"),
        ("postgresql://", "postgresql+psycopg://"),
        ("postgresql:///db?host=a:1&host=b:2", "postgresql+psycopg:///db?host=a:1&host=b:2"),
    ],
)
def test_every_spelling_of_a_database_becomes_one(text: str, url: str) -> None:
    """Two spellings must not be taken for two databases."""
    assert normal_url(text, BASE) == url
    assert normal_url(url, Path("/elsewhere")) == url


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """People write paths as in a shell."""
    monkeypatch.setenv("HOME", "/home/me")
    assert normal_url("~/c.db", BASE) == "sqlite:////home/me/c.db"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must name a file"),
        (":memory:", "a database in memory would be lost"),
        ("sqlite://", "a database in memory would be lost"),
        ("sqlite:///:memory:", "a database in memory would be lost"),
        ("folder/", "must name a file, not a folder"),
        ("sqlite:///%00", "must name a file"),
        ("sqlite:collector.db", "// is missing"),
        ("sqlite://collector.db", "three slashes"),
        ("sqlite:////c.db?mode=ro", "must not have options"),
        ("postgresql:db", "// is missing"),
        ("mysql://u:hunter2@h/db", "'mysql' is not supported"),
        ("postgresql+psycopg2://u:hunter2@h/db", "'postgresql+psycopg2' is not supported"),
        ('"postgresql://u:hunter2@h/db"', "without quotes around it"),
        (
            "postgresql+psycopg2-binary://u:hunter2@h/db",
            "must be a path, sqlite:///FILE or postgresql://USER@HOST/NAME",
        ),
        ("my_postgres:/u:hunter2@h/db", "must be a path"),
        (" postgresql://u:hunter2@h/db", "must be a path"),
        ("postgresql://u:hunter2@h/\udc99", "must be UTF-8 text"),
        ("x" * 4097, "must have at most 4096 characters"),
        ("postgresql://u:hun@ter2@h/db", "percent-encoded"),
        ("postgresql://u:hun@ter2/x@h/db", "percent-encoded"),
        ("postgresql://u:a@b?hunter2@h/db", "percent-encoded"),
        ("postgresql://u:hunter2@h:port/db", "percent-encoded"),
        ("postgresql://u:hunter2@h:543210/db", "percent-encoded"),
        ("postgresql://u:hunter2@h/d b", "percent-encoded"),
        ("postgresql://u:hunter2@h/\ndb", "control characters"),
    ],
)
def test_what_cannot_be_used_is_refused_without_showing_it(text: str, sentence: str) -> None:
    """A URL that can't be parsed may hold its password anywhere."""
    with pytest.raises(ValueError, match="must") as caught:
        normal_url(text, BASE)
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown", "secret"),
    [
        ("sqlite:////a%20b.db", "sqlite:////a b.db", False),
        ("postgresql+psycopg://u:p%40w@h:1/db?x=y", "postgresql+psycopg://u:***@h:1/db?x=y", True),
        ("postgresql+psycopg://:pw@h/db", "postgresql+psycopg://:***@h/db", True),
        ("postgresql+psycopg://u@h/db", "postgresql+psycopg://u@h/db", False),
        ("postgresql+psycopg:///db?host=/run", "postgresql+psycopg:///db?host=/run", False),
        (
            "postgresql+psycopg://h/db?a=b&password=pw&sslpassword=pw",
            "postgresql+psycopg://h/db?a=b&password=***&sslpassword=***",
            True,
        ),
        ("postgresql+psycopg://h/db?pass%77ord=pw", "postgresql+psycopg://h/db?pass%77ord=***", True),
    ],
)
def test_a_password_is_shown_as_stars(url: str, shown: str, secret: bool) -> None:  # noqa: FBT001
    """`config show`, logs and reports name the database."""
    assert masked_url(url) == shown
    assert holds_password(url) is secret


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_any_file_name_survives_the_way_into_a_url_and_back(name: str) -> None:
    """SQLAlchemy decodes percent signs, and cuts at question marks."""
    path = Path("/folder") / f"x{name.replace('/', '_')}"
    assert make_url(sqlite_url(path)).database == str(path)


@given(st.text(st.sampled_from("ab:/@?#[]=&% \\'0"), max_size=20), st.sampled_from(["", "h", "h:1", "[::1]:5"]))
def test_an_accepted_url_is_read_alike_by_sqlalchemy_and_its_password_is_hidden(login: str, host: str) -> None:
    """The two parsers must agree, or half of a password would be shown as a host."""
    try:
        url = normal_url(f"postgresql://{login}@{host}/name", BASE)
    except ValueError:
        return
    theirs = make_url(url)
    assert theirs.host == (host.rpartition(":")[0].strip("[]") if ":" in host else host or None)
    hidden = make_url(masked_url(url))
    assert (hidden.username, hidden.host, hidden.port, hidden.database) == (
        theirs.username,
        theirs.host,
        theirs.port,
        "name",
    )
    assert hidden.password == ("***" if theirs.password is not None else None)
