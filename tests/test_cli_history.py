"""What `history`, `diff`, `changes`, `total`, `statement` and `coverage` do with what they are asked."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from collector.cli import output
from tests.command_line import CommandLine, command_line
from tests.ledgers import held, record, recorder, register, snapshot, stored
from tests.processes import COMMAND, clean_environment
from tests.spring import NOW_MS, SIX_HOURS, at, fill, schedule


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str) -> CommandLine:
    """The command line in the first hour of 31 March 2026."""
    monkeypatch.setattr(output, "now_ms", lambda: NOW_MS)
    return command_line(monkeypatch, capsysbinary, database_url)


@pytest.fixture
def url(database_url: str) -> str:
    """A database with `main` alone."""
    fill(database_url)
    return database_url


@pytest.fixture
def two(database_url: str) -> str:
    """A database with `main` and `second`."""
    fill(database_url, second=True)
    return database_url


def test_a_period_stands_for_its_range(url: str, cli: CommandLine) -> None:
    """In --during, as the only argument of diff, and as the month of a statement."""
    day = json.loads(cli("history", "ETH", "--during", "2026-03-29", "--json").out)
    assert [row["due_at"][:13] for row in day["rows"]] == ["2026-03-29T00", "2026-03-29T12", "2026-03-29T18"]
    assert (
        json.loads(cli("history", "ETH", "--during", "yesterday", "--json").out)["rows"][0]["due_at"][:10]
        == "2026-03-30"
    )
    one = json.loads(cli("diff", "2026-03-29", "--json").out)
    two_words = json.loads(cli("diff", "2026-03-29", "2026-03-30", "--json").out)
    assert one == two_words
    assert (one["before"][0]["due_at"], one["due_at"]) == ("2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z")
    assert json.loads(cli("diff", "-2d", "--json").out)["before"][0]["due_at"] == "2026-03-29T00:00:00Z"
    assert json.loads(cli("diff", "-2d", "-1d", "--json").out)["due_at"] == "2026-03-30T00:00:00Z"


def test_days_begin_in_the_zone_that_is_asked_for(url: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """29 March 2026 has 23 hours in Berlin; the variable says the same as the option."""
    spoken = cli("coverage", "--by", "day", "--tz", "Europe/Berlin", "--json").out
    rows = json.loads(spoken)["rows"]
    assert [(row["period"], row["from"], row["to"]) for row in rows[:3]] == [
        ("2026-03-28", "2026-03-28T00:00:00Z", "2026-03-28T23:00:00Z"),
        ("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("2026-03-30", "2026-03-29T22:00:00Z", "2026-03-30T18:00:01Z"),
    ]
    monkeypatch.setenv("COLLECTOR_TZ", "Europe/Berlin")
    assert cli("coverage", "--by", "day", "--json").out == spoken


def test_as_of_is_the_snapshot_until_then_with_its_signed_age(url: str, cli: CommandLine) -> None:
    """Captured a third of a second after the instant, it is younger than that."""
    report = json.loads(cli("latest", "--as-of", "2026-03-29T00:00:00Z", "--json").out)
    assert (report["as_of"], report["due_at"], report["age"]) == ("2026-03-29T00:00:00Z", "2026-03-29T00:00:00Z", -1)
    report = json.loads(cli("latest", "--as-of", "2026-03-28T17:59:59Z", "--json").out)
    assert (report["due_at"], report["age"]) == ("2026-03-28T06:00:00Z", 43_198)
    assert [gap["reasons"] for gap in report["gaps"]] == [["timeout"]]
    done = cli("latest", "--as-of", "2026-03-27")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "collector: account 'main' has no snapshot of 2026-03-27T00:00:00Z or before: see `collector gaps`\n"
    )


def test_changes_of_one_asset_or_one_amount(url: str, cli: CommandLine) -> None:
    """Each names the time in which it happened, and the gap that it hides in."""
    rows = json.loads(cli("changes", "ETH", "--json").out)["rows"]
    assert [(row["change"], row["due_at"][8:13], row["gap_ticks"], row["gap_reasons"]) for row in rows] == [
        ("rose", "28T18", 1, ["timeout"]),
        (None, "29T12", 1, ["overrun"]),
        ("fell", "30T12", 0, None),
    ]
    assert (rows[0]["earliest_at"], rows[0]["latest_at"]) == ("2026-03-28T06:00:00.012Z", "2026-03-28T18:00:00.345Z")
    only = json.loads(cli("changes", "--all", "--field", "ipoable", "--field", "locked", "--json").out)["rows"]
    assert [(row["asset"], row["locked_change"], row["ipoable_change"]) for row in only] == [
        ("BTC", "0.5", "0"),
        ("LUNA", "0", "3"),
    ]
    later = json.loads(cli("changes", "ETH", "--from", "2026-03-29T12:00:00Z", "--to", "2026-03-30", "--json").out)
    assert [row["before_due_at"] for row in later["rows"]] == ["2026-03-29T00:00:00Z"]


def test_what_is_withdrawn_and_since_when(url: str, cli: CommandLine) -> None:
    """Until the newest snapshot that shows none; through the snapshots in a row that show some."""
    with recorder(url) as writer:
        account = register(writer, "third")
        schedule(writer, account, SIX_HOURS, at(30, 0))
        for hour, amounts in enumerate((None, "1", "2")):
            balances = (held("ETH", "5", withdrawing=amounts),) if amounts else ()
            record(writer, stored(account, at(30, 0) + hour * SIX_HOURS, snapshot(*balances), interval_s=SIX_HOURS))
        schedule(writer, account, None, at(30, 13))
    [row] = json.loads(cli("withdrawing", "--account", "third", "--json").out)["rows"]
    assert row == {
        "asset": "ETH",
        "withdrawing": "2",
        "earliest_at": "2026-03-30T00:00:00.012Z",
        "since_at": "2026-03-30T06:00:00.345Z",
        "since_due_at": "2026-03-30T06:00:00Z",
        "seconds": 68_399,
    }
    assert cli("withdrawing", "--account", "main").err.endswith("collector: nothing is being withdrawn\n")
    both = json.loads(cli("withdrawing", "--json").out)
    assert [row["account"] for row in both["rows"]] == ["third"]
    assert "for at least" in cli("withdrawing", "--format", "table").out


def test_a_price_is_that_of_the_very_tick_or_blank(url: str, cli: CommandLine) -> None:
    """A missing price is never 0, nor that of another time."""
    rows = json.loads(cli("total", "--during", "2026-03-30", "--in", "USDT", "--json").out)["rows"]
    assert [(row["due_at"][11:13], row["btc_total"], row["price"], row["value"]) for row in rows] == [
        ("00", "1.700001", None, None),
        ("06", "1.700001", "67000.00", "113900.06700000"),
        ("12", "2.100001", None, None),
        ("18", "2.100001", "68000.25", "142800.59300025"),
    ]
    done = cli("total", "--in", "DOGE")
    assert (done.code, done.err) == (3, "collector: there is no price of BTC in 'DOGE': there are USDT\n")
    assert cli("total", "--in", "\udcff").err == "collector: there is no price of BTC in '\\udcff': there are USDT\n"
    assert json.loads(cli("total", "--as-of", "2026-03-29", "--json").out)["rows"][0]["btc_total"] == "1.66000101"


def test_a_sum_names_the_account_that_it_lacks(two: str, cli: CommandLine) -> None:
    """As of a day when the second one was not collected yet."""
    for command in (["latest"], ["total"], ["allocation"]):
        report = json.loads(cli(*command, "--as-of", "2026-03-29", "--sum", "--json").out)
        assert report["missing"] == ["second"]
        assert report["accounts"][1] == {
            "account": "second", "due_at": None, "captured_at": None, "age": None, "clock_offset_ms": None,
        }  # fmt: skip
    warning = "collector: account second has no snapshot: it is unknown, and in no sum\n"
    assert warning in cli("total", "--as-of", "2026-03-29", "--sum").err
    assert warning in cli("diff", "2026-03-29", "2026-03-31").err
    assert cli("total", "--as-of", "2026-03-27").err == (
        "collector: none of 2 accounts has a snapshot of 2026-03-27T00:00:00Z or before: see `collector gaps`\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["history", "ETH", "--during", "now"], 2, "'now' is an instant, not a period like"),
        (["history", "ETH", "--during", "2026", "--to", "now"], 2, "--during is a range by itself"),
        (["history", "ETH", "--sum"], 2, "--sum needs --every"),
        (["history", "ETH", "--chart", "--field", "free", "--field", "locked"], 2, "a chart shows one amount"),
        (["history", "ETH", "--chart", "--json"], 2, "a chart is a picture and can't be json"),
        (["history", "ETH", "--every", "2d"], 2, "invalid value for '--every'"),
        (["history", "ETH", "--tz", "Berlin"], 2, "--tz must be a time zone like Europe/Berlin or UTC"),
        (["history", "ETH", "--from", "2026-03-31"], 3, "account 'main' has no snapshot in this time"),
        (["latest", "--as-of", "31.3."], 2, "invalid value for '--as-of': '31.3.' is neither"),
        (["diff", "2026-03-30", "2026-03-29"], 2, "T2 must be later than T1"),
        (["diff", "2027-01-01T00:00:00Z"], 2, "T1 must lie in the past"),
        (["diff", "-5"], 2, "invalid value for 'T1': -5 could be seconds or milliseconds"),
        (["diff", "2026-03-29", "--jsn"], 2, "no such option"),
        (["diff", "2026-03-27", "2026-03-31"], 3, "account 'main' has no snapshot of 2026-03-27T00:00:00Z or before"),
        (["changes"], 2, "say which asset, or --all"),
        (["changes", "ETH", "--all"], 2, "--all is for all assets"),
        (["changes", "eth"], 3, "account 'main' was never seen to hold 'eth': did you mean 'ETH'?"),
        (["changes", "ETH", "--from", "now"], 3, "there is no snapshot in this time"),
        (["total", "--as-of", "now", "--every", "1d"], 2, "--as-of is one instant"),
        (["total", "--sum", "--from", "2026-03-29"], 2, "--sum over time needs --every"),
        (["total", "--from", "now"], 3, "there is no snapshot in this time"),
        (["statement"], 2, "missing option '--month'"),
        (["statement", "--month", "-7d"], 2, "invalid value for '--month': '-7d' is an instant"),
        (["statement", "--month", "2026-04"], 2, "2026-04 has not begun yet"),
        (["statement", "--month", "2026-03", "--known-at", "2026-02"], 2, "2026-03 has not begun at --known-at"),
        (["statement", "--month", "2026-03", "--known-at", "2027"], 2, "--known-at lies in the future"),
        (["statement", "--month", "2026-02"], 3, "account 'main' has no snapshot of 2026-03-01T00:00:00Z or before"),
        (["coverage", "--fail-under", "NaN"], 2, "--fail-under takes a percentage from 0 to 100, like 99.9"),
        (["coverage", "--fail-under", "much"], 2, "--fail-under takes a percentage from 0 to 100, like 99.9"),
        (["coverage", "--from", "2026-04-01"], 3, "no tick was due in this time"),
        (["coverage", "--to", "2026-03-01"], 3, "no tick was due in this time"),
    ],
)
def test_what_has_no_answer_is_one_sentence(
    url: str, cli: CommandLine, arguments: list[str], code: int, sentence: str
) -> None:
    """And an exit code that says whether the question or the data is at fault."""
    done = cli(*arguments)
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    assert sentence in done.err


def test_coverage_can_fail_a_cron_job(url: str, cli: CommandLine) -> None:
    """After the report; never by rounding."""
    done = cli("coverage", "--fail-under", "83.34")
    assert (done.code, done.out.count("\n")) == (1, 2)
    assert done.err.endswith(
        "collector: less than 83.34 % of the due ticks have their snapshot: account 'main' in all\n"
    )
    assert cli("coverage", "--fail-under", "83.33").code == 0
    done = cli("coverage", "--by", "day", "--fail-under", "100")
    assert done.err.endswith("account 'main' in 2026-03-28, and 1 more\n")


def test_a_statement_can_be_made_again_whatever_came_later(url: str, cli: CommandLine) -> None:
    """The same bytes, by the instant that it names; made anew it shows what was learnt since."""
    wanted = ["statement", "--month", "2026-03-30"]
    before = {chosen: cli(*wanted, "--format", chosen).out for chosen in ("json", "csv", "table")}
    known_at = json.loads(before["json"])["known_at"]
    assert known_at == "2026-03-31T00:02:00.000Z"
    with recorder(url) as writer:
        account = register(writer)
        late = stored(account, at(30, 9), snapshot(held("XRP", "5", btc_valuation="9")), interval_s=None)
        assert writer.record_tick(late, recorded_at_ms=NOW_MS - 1)
    for chosen, text in before.items():
        assert cli(*wanted, "--known-at", known_at, "--format", chosen).out == text
    after = json.loads(cli(*wanted, "--json").out)
    assert after["recorded_at"] == after["known_at"] == "2026-03-31T00:59:59.999Z"
    assert [row["asset"] for row in after["rows"]] == ["BTC", "ETH", "SHIB", "LUNA", "XRP"]
    eth = next(row for row in json.loads(before["json"])["rows"] if row["asset"] == "ETH")
    assert (eth["opening"], eth["increase"], eth["decrease"], eth["closing"]) == ("12", "0", "2", "10")


def test_an_asset_that_was_renamed_has_one_history(
    url: str, cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store keeps what was sent; reports read it under the new name until the day of the change."""
    config = tmp_path / "rename.toml"
    config.write_text('[rename]\nLUNC = { from = "LUNA", on = 2026-03-30 }\n')
    monkeypatch.setenv("COLLECTOR_CONFIG", str(config))
    rows = json.loads(cli("history", "LUNC", "--every", "1d", "--field", "free", "--json").out)["rows"]
    assert [(row["period"], row["free"]) for row in rows] == [
        ("2026-03-28", "5"), ("2026-03-29", "0"), ("2026-03-30", "0"), ("2026-03-31", None),
    ]  # fmt: skip
    luna = json.loads(cli("history", "LUNA", "--field", "free", "--json").out)["rows"]
    assert [row["free"] for row in luna] == ["0", "0", "0.1", "0.1"]
    assets = [row["asset"] for row in json.loads(cli("latest", "--as-of", "2026-03-28", "--json").out)["rows"]]
    assert assets == ["BTC", "ETH", "LUNC"]
    moved = json.loads(cli("changes", "--all", "--json").out)["rows"]
    assert [(row["asset"], row["change"]) for row in moved if row["asset"].startswith("LUN")] == [
        ("LUNC", "vanished"),
        ("LUNA", "appeared"),
    ]


def test_a_daily_account_has_a_bar_for_each_day(database_url: str, cli: CommandLine) -> None:
    """Every other half of a day has no tick, which would look like a gap."""
    with recorder(database_url) as writer:
        account = register(writer, "daily")
        for day in range(25, 31):
            worth = snapshot(held("BTC", "1", btc_valuation=str(day)))
            record(writer, stored(account, at(day, 0), worth, interval_s=86_400))
    row = next(line for line in cli("latest", "--format", "table").out.splitlines() if line.startswith("BTC"))
    assert row.split()[-1] == "▁▂▄▅▇█"


def test_a_chart_is_drawn_with_the_extra(url: str, cli: CommandLine) -> None:
    """In the width of the terminal, by the last values of as many periods, broken where nothing is known."""
    done = cli("history", "ETH", "--chart", "--from", "2026-03-27")
    assert (done.code, done.err) == (0, "")
    assert "ETH total, account main, wallet spot, UTC" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out
    assert "2026-03-27" in done.out
    daily = cli("history", "ETH", "--chart", "--every", "1d", "--field", "free")
    assert "ETH free" in daily.out


def test_without_the_extra_the_command_that_installs_it_is_said(
    url: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a traceback."""
    monkeypatch.setitem(sys.modules, "plotext", None)
    done = cli("history", "ETH", "--chart")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "collector: --chart needs the library that draws: pip install 'binance-asset-collector[term]'\n"
    )


def test_a_chart_shows_one_account_or_their_sum(two: str, cli: CommandLine) -> None:
    """Two lines that nobody can tell apart are no picture."""
    done = cli("history", "BTC", "--chart")
    assert (done.code, done.err.startswith("collector: a chart shows one account: choose it with --account")) == (
        2,
        True,
    )
    assert "account main, second" in cli("history", "BTC", "--chart", "--sum").out


def seen_on_terminal(url: str, *arguments: str, **environ: str) -> str:
    """What a terminal shows."""
    master, slave = pty.openpty()
    env = clean_environment(COLLECTOR_DATABASE=url, PYTHONIOENCODING="utf-8", TERM="xterm", **environ)
    with subprocess.Popen([*COMMAND, *arguments], env=env, stdout=slave, stderr=slave) as shown:
        os.close(slave)
        seen = b""
        while chunk := _read(master):
            seen += chunk
        assert shown.wait(60) == 0
    os.close(master)
    return seen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports the end of a terminal as an error
        return b""


def test_a_terminal_shows_stale_ages_in_red_and_folds_dust(url: str) -> None:
    """NO_COLOR is respected, and --all shows everything."""
    shown = seen_on_terminal(url, "latest")
    assert "\x1b[31m" in shown
    assert "1 asset worth less than 0.00001 BTC: --all shows it" in shown
    assert "SHIB" not in shown
    plain = seen_on_terminal(url, "latest", "--all", NO_COLOR="1")
    assert "\x1b" not in plain
    assert "SHIB" in plain
    assert "▁" in plain


def test_a_terminal_shows_how_far_a_long_reading_has_come(url: str) -> None:
    """A bar that is gone before the table comes; rows that run over the same terminal have none."""
    shown = seen_on_terminal(url, "changes", "--all")
    assert shown.index("changes") < shown.index("account main, wallet spot")
    assert "2026-03" in seen_on_terminal(url, "statement", "--month", "2026-03")
    assert seen_on_terminal(url, "changes", "--all", "--format", "tsv").startswith("account\tasset")


def test_nothing_that_differs_is_said(url: str, cli: CommandLine) -> None:
    """An empty output alone could be a mistake."""
    done = cli("diff", "2026-03-28T01:00:00Z", "2026-03-28T07:00:00Z")
    assert (done.code, done.out.count("\n"), done.err) == (0, 1, "collector: nothing differs\n")


def test_a_terminal_shows_a_calendar_of_the_coverage(url: str) -> None:
    """A character for each day."""
    assert "2026-03                             ▒▒█" in seen_on_terminal(url, "coverage", "--by", "day")
