"""What the benchmark of the store concludes from a run is right, and every side is asked for the same."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench import parquet, plaintable, store
from bench.durable import run_durable
from bench.questions import run_questions, sizes_of
from bench.store import Effort
from tests.postgres import Databases

TINY = Effort(write_rounds=2, block=2, byte_rows=200, question_rounds=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the file that is asked: it is made once."""
    return tmp_path_factory.mktemp("store")


def test_all_parts_run_and_say_what_was_measured(
    postgres_server: Databases, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads the JSON finds sizes of both engines, rates, and times of each size."""
    command = ["--quick", "--json", "--rows", "4000"]
    assert store.main(command, folder=folder, effort=TINY, server=postgres_server) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["command"] == "python -m bench.store --quick --json --rows 4000"
    assert (report["wrong"], report["missed_targets"]) == ([], [])
    for side in ("sqlite", "postgresql", "plain_table", "parquet"):
        assert report[side]["rows"] == 200
        assert report[side]["bytes_per_row"] > 1
    for engine in ("sqlite", "postgresql"):
        found = report["writes"][engine]
        assert (found["snapshots"], found["same"]) == (4, True)
        assert found["ratio"] > 0
    questions = report["questions"]
    assert [(side["name"], side["rows"]) for side in questions["ours"]] == [("ours", 4030)]
    assert [(side["name"], side["rows"]) for side in questions["rivals"]] == [
        ("plain table", 4030),
        ("DuckDB on Parquet", 4030),
    ]
    for kind in ("latest", "as_of", "history", "closes"):
        assert questions["ours"][0][kind].keys() == {"first_ms", "again_ms"}
    assert [path.name for path in folder.iterdir() if path.suffix not in {".db", ".lock"}] == []


def test_another_answer_fails_the_benchmark(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One digit more is another answer, however fast it is."""
    fill = plaintable.fill

    def fill_wrongly(path: Path, source: Path) -> None:
        fill(path, source)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE balance_record SET free = free || '0'")

    monkeypatch.setattr(plaintable, "fill", fill_wrongly)
    command = ["--quick", "--rows", "4000", "--part", "questions"]
    assert store.main(command, folder=folder, effort=TINY) == 1
    said = capsys.readouterr().out
    kinds = ("as-of", "closes", "history", "latest")
    expected = [f"WRONG: plain table says something else than ours: {kind}" for kind in kinds]
    assert [line for line in said.splitlines() if line.startswith("WRONG")] == expected


def test_other_rows_fail_the_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stores less is not faster."""
    one = f"sqlite:///{tmp_path}/ours.db", f"sqlite:///{tmp_path}/bare.db"
    monkeypatch.setattr("bench.bare.plain", lambda amount: f"{amount:f}0")
    found = run_durable(*one, rounds=1, block=1)
    assert list(store.wrong({"writes": {"sqlite": found}})) == [
        "sqlite: ours and the bare driver stored different rows"
    ]


def measured(latest: float, history: float, growth: float) -> dict[str, Any]:
    """What a run at 100 million rows found."""
    times = {
        "latest": {"again_ms": latest},
        "as_of": {"again_ms": 0.9},
        "history": {"again_ms": history},
        "closes": {"again_ms": 99.0},
    }
    return {
        "ours": [{"rows": 100_000_000, **times}],
        "growth": {"latest": 1.0, "as_of": 1.0, "history": growth, "closes": 1.0},
    }


def test_slow_machines_miss_targets_and_are_not_wrong() -> None:
    """Times and sizes are told, answers decide."""
    results = {
        "writes": {"sqlite": {"ratio": 0.59, "same": True}, "postgresql": {"ratio": 0.7, "same": True}},
        "sqlite": {"bytes_per_row": 64.0},
        "postgresql": {"bytes_per_row": 125.1},
        "questions": measured(1.2, 25.0, 2.1) | {"differing": []},
    }
    assert list(store.wrong(results)) == []
    assert list(store.missed_targets(results)) == [
        "sqlite: 0.59 of the bare driver's snapshots a second, not 0.6",
        "postgresql: 125.1 bytes a row, not 125",
        "latest: 1.2 ms at 100,000,000 rows, not 1",
        "history: 2.1 times as long at 100,000,000 rows, not 2",
    ]


def test_three_sizes_are_asked_for() -> None:
    """A hundredth, a tenth and all, of which the smallest is still a history."""
    assert sizes_of(100_000_000) == [1_000_000, 10_000_000, 100_000_000]
    assert sizes_of(100_000) == [4_000, 10_000, 100_000]


def test_a_parquet_file_is_compared_like_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked by SQL of its own, which could go wrong by itself."""
    monkeypatch.setattr(parquet, "AS_OF", parquet.AS_OF.replace("max(", "min("))
    monkeypatch.setattr(parquet, "LATEST", parquet.LATEST.replace("max(due_at)", "max(0)"))
    found = run_questions(4_000, rounds=1, folder=folder)
    assert found["differing"] == [f"DuckDB on Parquet says something else than ours: {k}" for k in ("as-of", "latest")]
