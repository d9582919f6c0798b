"""The large files that benchmarks read are as right as those that the daemon writes, and the same each time."""

import sqlite3
from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from stat import S_IMODE

import pytest

from bench.built import Built
from bench.portfolio import names
from bench.rows import build, cached
from collector.storage import accounts, history, ledger, series
from collector.storage.engine import inspecting
from collector.storage.reader import Reader, reading
from collector.storage.revisions import REVISIONS
from collector.storage.upkeep import revision_of
from collector.storage.verify import problems_in
from tests.ledgers import ask

ROWS = 8_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A small one."""
    return build(tmp_path_factory.mktemp("rows") / "rows.db", ROWS)


def test_the_program_itself_finds_nothing_wrong(built: Built) -> None:
    """Digests, sums, the ledger's identity, references and CHECKs hold."""
    counts = Counter[str]()
    with inspecting(built.url) as connection:
        every = accounts.every_account(Reader.over(connection))
        found = list(problems_in(connection, every, whole=True, counts=counts, show=lambda *_: None))
    assert found == []
    assert counts == {"accounts": 1, "ticks": built.stored + built.failed, "balances": built.rows, "ranges": 3}
    assert revision_of(built.url) == REVISIONS[-1]


def test_it_is_said_what_lies_in_the_file(built: Built) -> None:
    """Benchmarks ask for what is known to be there."""
    assert (built.rows, built.stored, built.interval_s, len(built.assets)) == (8_020, 201, 60, 40)
    assert ask(built.url, "SELECT min(due_at), max(due_at) FROM tick") == [(built.first_due_at, built.last_due_at)]
    assert (built.last_due_at - built.first_due_at) // 60 + 1 == built.ticks
    with inspecting(built.url) as connection:
        (one,) = accounts.every_account(Reader.over(connection))
        gaps = list(ledger.gaps(Reader.over(connection), one, to_s=built.last_due_at))
        assert [(gap.start_at, gap.last_due_at, gap.ticks, gap.reasons) for gap in gaps] == [
            (lost.start_at, lost.last_due_at, lost.ticks, (str(lost.reason),)) for lost in built.lost
        ]
        assert history.known_assets(Reader.over(connection), one) == list(built.assets)
    assert one.name == built.account
    assert (sum(gap.failed for gap in gaps), sum(gap.missed for gap in gaps)) == (built.failed, built.missed)


def test_assets_move_as_they_are_said_to(built: Built) -> None:
    """One often, one a dozen times, one is not there for a while; most stand still."""
    with reading(built.url) as reader:
        (one,) = accounts.every_account(reader)
        held = {name: list(series.asset_points(reader, one, name)) for name in built.assets}
    moves = {
        name: sum(old.balance.free != new.balance.free for old, new in pairwise(points))
        for name, points in held.items()
    }
    assert moves[built.often] > 12
    assert moves[built.rarely] == 12
    assert moves[built.vanishing] >= 2
    assert sum(moves.values()) < built.rows / 50
    absent = [point.due_at for point in held[built.vanishing] if not point.balance.holds_something]
    assert (absent[0], len(absent)) == (built.vanished_at, 20)
    assert max(absent) < built.back_at


def test_the_file_is_as_the_daemon_leaves_it(built: Built) -> None:
    """WAL again, closed to others, without anything beside it."""
    assert ask(built.url, "PRAGMA journal_mode") == [("wal",)]
    assert S_IMODE(built.path.stat().st_mode) == 0o600
    assert [path.name for path in built.path.parent.iterdir()] == ["rows.db"]


def content(path: Path) -> list[str]:
    """Everything in a file."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_each_build_makes_the_same_file(built: Built, tmp_path: Path) -> None:
    """Two benchmarks, two machines and two days compare the same rows."""
    build(tmp_path / "again.db", ROWS)
    assert content(tmp_path / "again.db") == content(built.path)


def test_a_finished_file_is_used_again(tmp_path: Path) -> None:
    """A hundred million rows are not made twice."""
    first = cached(4_000, folder=tmp_path)
    made = first.path.stat()
    assert cached(4_000, folder=tmp_path) == first
    assert first.path.stat().st_ino == made.st_ino


def test_an_unfinished_or_outdated_file_is_not_used(tmp_path: Path) -> None:
    """Who was killed while building, or built by older rules, leaves nothing that is believed."""
    path = tmp_path / "rows-4000-40-60s-v1-0001.db"
    unfinished, outdated = tmp_path / f"{path.name}.unfinished", tmp_path / "rows-4000-40-60s-v0-0001.db"
    for leftover in (unfinished, outdated):
        leftover.write_bytes(b"half")
    assert cached(4_000, folder=tmp_path).path == path
    assert ask(f"sqlite:///{path}", "SELECT count(*) FROM balance") == [(4_030,)]
    assert not unfinished.exists()
    assert not outdated.exists()


def test_another_number_of_assets_and_another_interval_are_possible(tmp_path: Path) -> None:
    """Whatever the size, the parts are played by the same assets."""
    built = build(tmp_path / "wide.db", 6_000, assets=45, interval_s=300)
    assert built.assets[:4] == ("1INCH", "AAVE", "ADA", "ALGO")
    assert {"BTC", "SOL", "AVAX", "COIN41", "COIN45"} <= set(built.assets)
    assert (built.last_due_at - built.first_due_at) // 300 + 1 == built.ticks
    assert names(5) == ("AVAX", "BTC", "LDETH", "SOL", "USDT")
