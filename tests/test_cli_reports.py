"""The reports of the command line, pinned byte for byte and the same on both engines."""

import pytest

from collector.cli import output
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
}
TWO = {
    "two_latest": ["latest"],
    "two_latest_sum": ["latest", "--sum"],
    "two_total_sum": ["total", "--sum", "--in", "USDT"],
    "two_history_sum": ["history", "BTC", "--every", "1d", "--sum", "--field", "free"],
    "two_total_daily_sum": ["total", "--every", "1d", "--sum"],
    "two_diff": ["diff", "2026-03-30T06:00:00Z", "2026-03-31"],
    "two_coverage": ["coverage"],
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
