"""The benchmark of questions: it runs, its report has what is promised, and a wrong answer fails it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import asked, frames, history, whole
from bench.history import Effort, main, missed_targets
from bench.rows import cached

LITTLE = Effort(starts=1, rounds=1, frame_rounds=1, exported_rows=4_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 4,000 rows, made once."""
    made = tmp_path_factory.mktemp("rows")
    cached(4_000, folder=made)
    return made


def report(folder: Path, capsys: pytest.CaptureFixture[str], *parts: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the report of these parts."""
    arguments = ["--rows", "4000", "--json", *(word for part in parts for word in ("--part", part))]
    code = main(arguments, folder=folder, effort=LITTLE)
    return code, json.loads(capsys.readouterr().out)


def test_the_same_questions_have_the_same_answers_elsewhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Digit for digit, or their times say nothing."""
    code, told = report(folder, capsys, "frames")
    assert (code, told["wrong"]) == (0, [])
    assert set(told["frames"]["ms"]) == {"daily closes", "month ends"}
    assert set(told["frames"]["ms"]["daily closes"]) == {"ours", "pandas", "DuckDB on Parquet"}


def test_an_answer_that_differs_fails_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it ours or theirs."""
    monkeypatch.setattr(frames, "our_ends", lambda built: frames.pandas_ends(built)[1:])
    code, told = report(folder, capsys, "frames")
    assert code == 1
    assert told["wrong"] == [
        "DuckDB on Parquet says something else than ours: month ends",
        "pandas says something else than ours: month ends",
    ]


def test_whole_processes_are_timed_and_their_rows_counted(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What grows with the history and what does not, and the export."""
    chosen = {"latest", "history, 2,000 minutes", "history, a month of minutes", "history --every 1d, vanished"}
    everything = asked.bounded
    monkeypatch.setattr(whole, "bounded", lambda built: [r for r in everything(built) if r.name in chosen])
    code, told = report(folder, capsys, "bounded", "export")
    assert (code, told["wrong"]) == (0, [])
    assert set(told["bounded"]["ms"]) == chosen
    assert told["export"]["rows"] > 1_000


def test_a_report_with_too_few_rows_fails_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fast answer that leaves something out is no answer."""
    wrong = [
        asked.Report(name="latest", arguments=["latest"], rows=41),
        asked.Report(name="history", arguments=["history", "NOSUCH"]),
    ]
    monkeypatch.setattr(whole, "bounded", lambda _: wrong)
    code, told = report(folder, capsys, "bounded")
    assert code == 1
    assert told["wrong"][0].startswith("history ended with 3: collector: ")
    assert told["wrong"][1] == "latest: 40 rows instead of 41"


def test_every_report_is_asked_for_by_a_command_that_exists(folder: Path) -> None:
    """A name that is misspelt would measure how fast a refusal is."""
    built = cached(4_000, folder=folder)
    assert len(asked.bounded(built)) == 18
    assert [r.name for r in asked.unbounded(built)] == [
        *("history", "changes", "total", "gaps"),
        "statement, a month",
    ]


def test_slow_machines_miss_targets_and_are_not_wrong() -> None:
    """Times are told, answers decide."""
    results: dict[str, Any] = {
        "start": {
            "latest as TSV": {"median": 251},
            "latest as a table": {"median": 300},
            "--help": {"median": 101},
        },
        "bounded": {
            "ms": {"diff": {"median": 600.0, "after_start": 500.1}, "gaps": {"median": 999.0, "after_start": 499.0}},
            "wrong": [],
        },
        "export": {"rows_a_second": 249_999, "wrong": []},
    }
    assert list(history.wrong(results)) == []
    assert list(missed_targets(results)) == [
        "latest as TSV: 251 ms, not 250",
        "--help: 101 ms, not 100",
        "diff: 500.1 ms after the start, not 500",
        "export: 249,999 rows a second, not 250,000",
    ]


def test_a_process_is_timed_as_an_installed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With bytecode: where Python was told to write none, each start would be timed with the compiling of it all."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("COLLECTOR_DATABASE", "sqlite:///mine.db")
    monkeypatch.setenv("LANG", "C.UTF-8")
    kept = whole.environment()
    assert "PYTHONDONTWRITEBYTECODE" not in kept
    assert "COLLECTOR_DATABASE" not in kept
    assert kept["LANG"] == "C.UTF-8"
