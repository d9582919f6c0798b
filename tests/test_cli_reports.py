"""The reports of the command line, pinned byte for byte and the same on both engines."""

import pytest

from collector.cli import coverage, latest, output
from tests.command_line import CommandLine, command_line
from tests.pinned import assert_pinned
from tests.spring import NOW_MS, fill

ONE = {
    "latest_as_of": ["latest", "--as-of", "2026-03-28T12:00:00Z"],
    "allocation": ["allocation"],
    "history_daily": ["history", "LUNA", "--every", "1d", "--from", "2026-03-27", "--to", "2026-04-02"],
    "history_weekly": ["history", "ETH", "--every", "1w", "--field", "total", "--field", "withdrawing"],
    "diff": ["diff", "2026-03-28", "2026-03-31"],
    "changes": ["changes", "--all"],
    "total_daily": ["total", "--every", "1d", "--in", "USDT"],
    "withdrawing": ["withdrawing"],
    "statement": ["statement", "--month", "2026-03"],
    "coverage_daily": ["coverage", "--by", "day"],
    "total_in": ["total", "--in", "USDT"],
    "changes_asset": ["changes", "ETH", "--field", "withdrawing"],
    "gaps": ["gaps"],
    "sql": [
        "sql",
        "SELECT due_at, asset, free, withdrawing FROM balance_history WHERE asset = 'ETH' ORDER BY due_epoch",
    ],
}
TWO = {
    "two_latest": ["latest"],
    "two_latest_sum": ["latest", "--sum"],
    "two_total_sum": ["total", "--sum", "--in", "USDT"],
    "two_history_sum": ["history", "BTC", "--every", "1d", "--sum", "--field", "free"],
    "two_total_daily_sum": ["total", "--every", "1d", "--sum"],
    "two_diff": ["diff", "2026-03-30T06:00:00Z", "2026-03-31"],
    "two_coverage": ["coverage"],
    "two_changes": ["changes", "BTC"],
    "two_allocation_sum": ["allocation", "--sum"],
    "two_withdrawing": ["withdrawing", "--account", "second", "--account", "main"],
    "two_gaps": ["gaps", "--during", "2026-03-30"],
}
PICTURES = {
    "history_chart": ["history", "ETH", "--chart", "--account", "main"],
    "history_chart_daily": ["history", "BTC", "--chart", "--every", "1d", "--account", "main", "--tz", "Asia/Tokyo"],
    "coverage_calendar": ["coverage", "--by", "day", "--from", "2026-03-27"],
    "coverage_calendar_of_one": ["coverage", "--by", "day", "--account", "second"],
    "latest_on_a_terminal": ["latest"],
}
EXPORTS = {
    "export_csv": ["export", "--account", "second"],
    "export_ndjson": ["export", "--format", "ndjson", "--from", "2026-03-30T12:00:00Z"],
}


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str) -> CommandLine:
    """The command line in the first hour of 31 March 2026."""
    monkeypatch.setattr(output, "now_ms", lambda: NOW_MS)
    return command_line(monkeypatch, capsysbinary, database_url)


def pinned(cli: CommandLine, name: str, arguments: list[str]) -> None:
    """Each format of a report, and what stands on stderr beside CSV."""
    for chosen in ("table", "csv", "json"):
        done = cli(*arguments, "--format", chosen)
        assert done.code == 0, done.err
        beside = f"\n--- stderr ---\n{done.err}" if chosen == "csv" else ""
        assert_pinned(f"cli_{name}_{chosen}", done.out + beside)


def test_reports_on_one_account_look_like_this(database_url: str, cli: CommandLine) -> None:
    """Every digit, every sign, every gap; on both engines the same bytes."""
    fill(database_url)
    for name, arguments in ONE.items():
        pinned(cli, name, arguments)


def test_reports_on_two_accounts_look_like_this(database_url: str, cli: CommandLine) -> None:
    """Each account with its snapshot; a sum names what it lacks."""
    fill(database_url, second=True)
    for name, arguments in TWO.items():
        pinned(cli, name, arguments)


def test_pictures_look_like_this(database_url: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a terminal is shown: charts, the calendar, dust that is counted instead of listed."""
    fill(database_url, second=True)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "24")
    for module in (output, coverage, latest):
        monkeypatch.setattr(module, "is_shown", lambda: True, raising=False)
    for name, arguments in PICTURES.items():
        done = cli(*arguments, *([] if "--chart" in arguments else ["--format", "table"]))
        assert done.code == 0, done.err
        assert_pinned(f"cli_{name}", done.out)


def test_exports_look_like_this(database_url: str, cli: CommandLine) -> None:
    """Other programs read them, for years."""
    fill(database_url, second=True)
    for name, arguments in EXPORTS.items():
        done = cli(*arguments)
        assert done.code == 0, done.err
        assert_pinned(f"cli_{name}", f"{done.out}\n--- stderr ---\n{done.err}")
