"""Where the spool of a database lies."""

from pathlib import Path

import pytest

from collector.config.loading import load
from collector.errors import ConfigError


def spool(database: str, **environ: str) -> Path:
    """The spool that is used with this database."""
    return load(environ={"COLLECTOR_DATABASE": database, **environ}, accounts=False).spool


def test_that_of_a_file_lies_beside_it(tmp_path: Path) -> None:
    """Whoever moves the folder moves both, and a link leads to the same spool as the file itself."""
    (tmp_path / "real.db").touch()
    (tmp_path / "link.db").symlink_to("real.db")
    assert spool(f"{tmp_path}/real.db") == tmp_path / "real.db.spool"
    assert spool(f"{tmp_path}/link.db") == tmp_path / "real.db.spool"
    assert spool(f"sqlite:///{tmp_path}/100%25 ?.db".replace("?", "%3F")) == tmp_path / "100% ?.db.spool"


def test_that_of_a_server_lies_among_the_users_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who logs in, and how, makes no difference; another server or another database does."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    same = {
        spool("postgresql://u@db.example.net/portfolio"),
        spool("postgres://other:secret@db.example.net/portfolio?sslmode=require"),
    }
    [mine] = same
    assert mine.parent == tmp_path / "collector"
    assert mine.name.startswith("portfolio-")
    assert mine.suffix == ".spool"
    others = [
        "postgresql://u@db.example.net/portfolio2",
        "postgresql://u@db.example.net:5433/portfolio",
        "postgresql://u@elsewhere.example.net/portfolio",
        "postgresql://u@/portfolio?host=a:5432&host=b:5432",
    ]
    assert len({mine, *map(spool, others)}) == 5
    swapped = "postgresql://u@/portfolio?host=b:5432&host=a:5432"
    assert spool(swapped) == spool(others[-1])
    assert spool("postgresql://u@h/a%2Fb").name.startswith("a_b-")


def test_the_key_names_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the file that says so, or to the current folder for a variable."""
    config = tmp_path / "etc" / "config.toml"
    config.parent.mkdir()
    config.write_text('spool = "aside/s"\nspool_max_mb = 7\nspool_min_free_mb = 3\n')
    found = load(path=config, environ={}, accounts=False)
    assert (found.spool, found.spool_max_mb, found.spool_min_free_mb) == (tmp_path / "etc/aside/s", 7, 3)
    monkeypatch.chdir(tmp_path)
    assert spool("x.db", COLLECTOR_SPOOL="s") == tmp_path / "s"


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("SPOOL", "folder/", "COLLECTOR_SPOOL must name a file, not a folder"),
        ("SPOOL_MAX_MB", "0", "COLLECTOR_SPOOL_MAX_MB must be from 1 to 1000000; it is 0"),
        ("SPOOL_MIN_FREE_MB", "x", "COLLECTOR_SPOOL_MIN_FREE_MB must be a whole number; it is 'x'"),
    ],
)
def test_what_can_not_be_is_refused(key: str, text: str, sentence: str) -> None:
    """At the start, not in the first outage."""
    with pytest.raises(ConfigError) as caught:
        spool("x.db", **{f"COLLECTOR_{key}": text})
    assert str(caught.value) == sentence
