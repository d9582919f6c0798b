"""Reports in every format, pinned by snapshot files and held against what was put in."""

import csv
import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from collector.domain.balances import Balance
from collector.domain.portfolio import Holding
from collector.domain.records import AssetPoint
from collector.domain.ticks import FailReason
from collector.reports.bases import basis_of
from collector.reports.gaps import gaps_report
from collector.reports.history import HistoryOf, HistoryRow, history_report
from collector.reports.latest import latest_report
from collector.reports.values import Basis, Report
from tests.ledgers import held, snapshot
from tests.pinned import assert_pinned
from tests.report_values import AWKWARD, DUE, NOW_MS, account, as_text, gap, stored_snapshot

FORMATS = ("table", "tsv", "csv", "json", "ndjson")

names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
amounts = st.decimals(min_value=0, max_value=Decimal(10) ** 30, places=8, allow_nan=False)
some = amounts.filter(bool)  # a row of zeros would not be stored
balances = st.lists(
    st.builds(lambda n, a, b: held(n, str(a), withdrawing=str(b)), names, some, amounts),
    min_size=1,
    max_size=6,
    unique_by=lambda b: b.asset,
)


def latest(*held_then: Balance) -> Report[Holding]:
    """The report on a snapshot of these balances, and an open gap after it."""
    gaps = [gap(ticks=12, is_open=True)]
    return latest_report([stored_snapshot(snapshot(*held_then))], gaps, now_ms=NOW_MS)


def history() -> Report[HistoryRow]:
    """An asset that was sold to the last bit, and a gap."""
    amounts = {0: "0.50000000", 300: "0.00000001", 900: "0"}
    points = [
        AssetPoint(
            due_at=DUE + at, received_at_ms=(DUE + at) * 1000 + 321, cells=("=BTC", free, "0", "0", "0", "0", "0")
        )
        for at, free in amounts.items()
    ]
    newest = stored_snapshot(snapshot(), due_at=DUE + 900, received_at_ms=(DUE + 900) * 1000 + 321)
    gaps = [gap(DUE + 600, failed=1, missed=0, reasons=("timeout",))]
    basis = basis_of(newest, now_ms=NOW_MS + 900_000)
    rows = (HistoryRow(accounts=("main",), point=point) for point in points)
    return history_report(HistoryOf(asset="=BTC", accounts=[account()]), [basis], rows, gaps)


@pytest.mark.parametrize("chosen", FORMATS)
def test_latest_looks_like_this(chosen: str) -> None:
    """Awkward names and amounts, digit for digit."""
    assert_pinned(f"latest_{chosen}", as_text(latest(*AWKWARD), chosen))


@pytest.mark.parametrize("chosen", FORMATS)
def test_history_looks_like_this(chosen: str) -> None:
    """Zero is a row, a gap is none, and the gap is named."""
    assert_pinned(f"history_{chosen}", as_text(history(), chosen))


@pytest.mark.parametrize("chosen", FORMATS)
def test_gaps_look_like_this(chosen: str) -> None:
    """When nothing was collected, and why."""
    losses = [
        gap(DUE, failed=1, missed=0, reasons=("timeout",)),
        gap(DUE + 900, ticks=5, failed=2, missed=3, reasons=("banned", "waiting")),
        gap(DUE + 9000, ticks=7, is_open=True),
    ]
    assert_pinned(f"gaps_{chosen}", as_text(gaps_report([Basis(account="main")], losses), chosen))


def test_gaps_of_several_accounts_stand_under_all_their_names() -> None:
    """Each with its snapshot, or with none; and one gap needs no sum."""
    shown = as_text(gaps_report([Basis(account="main"), Basis(account="second")], [gap(name="second")]), "table")
    heading, rows = shown.split("\n\n")
    assert heading == "2 accounts, wallet spot\naccount main: no snapshot\naccount second: no snapshot"
    assert rows.startswith("account  start_at ")
    assert rows.count("\n") == 3


@pytest.mark.parametrize("width", [120, 100, 60])
def test_a_narrow_terminal_changes_the_layout_and_no_digit(width: int) -> None:
    """A grid; without the columns of zeros; as blocks."""
    held_then = (
        held("BTC", "0.50000000", btc_valuation="0.50000000"),
        held("SHIB", "50300000001.44911105", locked="887.47061626"),
        held("币安人生", "1"),
    )
    assert_pinned(f"latest_table_{width}", as_text(latest(*held_then), "table", width=width))


def test_an_empty_account_has_a_heading_and_no_rows() -> None:
    """Nothing held is an answer."""
    assert as_text(latest(), "tsv").count("\n") == 1
    assert as_text(latest(), "ndjson") == ""
    assert json.loads(as_text(latest(), "json"))["rows"] == []
    assert as_text(latest(), "table") == (
        "account main, wallet spot\n"
        "snapshot due 2026-03-31T12:00:00Z, captured 2026-03-31T12:00:00.321Z, 3 min 12 s ago\n"
        "\n"
        "valuation 0 BTC\n"
        "open gap of 12 ticks from 2026-03-31T12:05:00Z to 2026-03-31T13:00:00Z: not_running\n"
    )


def test_what_was_not_asked_for_stays_empty() -> None:
    """No valuation is not a valuation of 0."""
    report = latest_report(
        [stored_snapshot(snapshot(held("BTC", btc_valuation=None), btc_requested=False))], [], now_ms=NOW_MS
    )
    assert json.loads(as_text(report, "json"))["btc_total"] is None
    assert json.loads(as_text(report, "ndjson"))["btc_valuation"] is None
    assert as_text(report, "tsv").splitlines()[1].split("\t")[-3:] == ["", "1", ""]
    assert "valuation " not in as_text(report, "table").replace("btc_valuation", "")


def test_a_manual_snapshot_and_a_limited_account_are_named() -> None:
    """An asset that is not collected is unknown, not zero."""
    limited = stored_snapshot(snapshot(held("BTC")), account(asset_scope="BTC"), interval_s=None)
    report = latest_report([limited], [], now_ms=NOW_MS)
    assert report.warnings == ("only BTC is collected: every other asset is unknown, not zero",)
    assert report.notes[0] == "this snapshot was taken by hand, off the grid"
    assert json.loads(as_text(report, "json"))["asset_scope"] == "BTC"


def test_many_gaps_are_counted_and_the_newest_named() -> None:
    """A warning of a thousand lines is read by nobody."""
    gaps = [gap(DUE + 600 * n, failed=1, missed=0, reasons=(FailReason.TLS,)) for n in range(10)]
    report = latest_report([stored_snapshot(snapshot())], gaps, now_ms=NOW_MS)
    assert report.warnings[0] == "7 older gaps: see `collector gaps`"
    assert report.warnings[3] == "gap of 1 tick at 2026-03-31T13:30:00Z: tls"
    assert len(report.gaps) == 10


@pytest.mark.parametrize("asset", ["=1+1", "+1", "-1", "@x", "'a", "\uff1d1", "\uff0d1", "\tx", "plain", "1-1", "a=b"])
def test_csv_runs_no_formula_and_loses_no_character(asset: str) -> None:
    """Anyone can name a token: no spreadsheet shall run it. The name comes back by dropping one apostrophe."""
    line = next(csv.DictReader(io.StringIO(as_text(latest(held(asset)), "csv"), newline="")))
    assert line["asset"][0] not in "=+-@\t\r\uff1d\uff0d"
    assert line["asset"].removeprefix("'") == asset
    assert line["free"] == "1"


@given(balances)
def test_csv_gives_every_row_back(held_then: list[Balance]) -> None:
    """RFC 4180: CRLF after each line, and what a CSV reader reads is what was put in."""
    written = as_text(latest(*held_then), "csv")
    assert written.count("\r\n") == len(held_then) + 1
    read = list(csv.DictReader(io.StringIO(written, newline="")))
    exact = {line["asset"].removeprefix("'"): line for line in read}
    for b in held_then:
        assert exact[b.asset]["free"] == format(b.free, "f")
        assert Decimal(exact[b.asset]["total"]) == b.total


@given(balances)
def test_tsv_splits_at_tabs_alone(held_then: list[Balance]) -> None:
    """awk and cut know no quotes."""
    header, *lines = as_text(latest(*held_then), "tsv").split("\n")[:-1]
    assert header.split("\t")[:5] == ["account", "due_at", "captured_at", "asset", "free"]
    read = [line.split("\t") for line in lines]
    assert sorted(row[3] for row in read) == sorted(b.asset for b in held_then)
    assert {row[4] for row in read} == {format(b.free, "f") for b in held_then}


@given(balances)
def test_json_and_ndjson_say_the_same(held_then: list[Balance]) -> None:
    """The object holds once what each line repeats."""
    whole = json.loads(as_text(latest(*held_then), "json"))
    lines = [json.loads(line) for line in as_text(latest(*held_then), "ndjson").splitlines()]
    head = {name: whole[name] for name in ("account", "due_at", "captured_at")}
    assert lines == [head | row for row in whole["rows"]]
    assert all(isinstance(cell, str) for row in whole["rows"] for name, cell in row.items() if name != "share")


@given(balances, st.none() | st.integers(min_value=1, max_value=300))
def test_no_table_ever_loses_a_digit(held_then: list[Balance], width: int | None) -> None:
    """However narrow the terminal: every amount stands there whole, unless its column is named as zero."""
    shown = as_text(latest(*held_then), "table", width=width)
    words = set(re.split(r"\s+", shown))
    zeros = next((line for line in shown.splitlines() if line.startswith("zero in every row: ")), "")
    for b in held_then:
        for name in ("free", "withdrawing", "total"):
            assert name in zeros or format(getattr(b, name), "f") in words
    assert not any(b.withdrawing for b in held_then) or "withdrawing" not in zeros


@given(st.lists(st.tuples(st.text("AbÉ币安가ｱ", min_size=1, max_size=9), some), min_size=1, max_size=6))
def test_decimal_points_stand_below_each_other_whatever_the_script(held_then: list[tuple[str, Decimal]]) -> None:
    """A wide character takes two cells of the terminal, a half-wide or accented one a single one."""
    lines = as_text(latest(*(held(name, str(free)) for name, free in held_then)), "table").splitlines()
    rows = [line for line in lines if re.search(r"\d\.\d{8} ", line)]
    assert len(rows) == len(held_then)
    assert len({cell_len(line[: line.index(".")]) for line in rows}) == 1


def test_characters_that_would_move_others_are_spelled_out() -> None:
    """A right-to-left override in a name would turn the digits beside it around."""
    shown = as_text(latest(held("A\u202eB\u0007", "123")), "table")
    assert r"A\u202eB\x07" in shown


@pytest.mark.parametrize("chosen", ["latest", "history", "gaps"])
def test_a_report_that_rests_on_a_wrong_clock_says_so(chosen: str) -> None:
    """Every time in it is as wrong as the clock that labelled its snapshot; JSON has the number instead."""
    wrong = stored_snapshot(snapshot(held("BTC", "1")), clock_offset_ms=61_250)
    basis = basis_of(wrong, now_ms=NOW_MS)
    reports: dict[str, Report[Any]] = {
        "latest": latest_report([wrong], [], now_ms=NOW_MS),
        "history": history_report(HistoryOf(asset="BTC", accounts=[account()]), [basis], [], []),
        "gaps": gaps_report([basis], []),
    }
    sentence = "the clock of the collecting machine is 61.2 s behind Binance's: set it right"
    assert reports[chosen].warnings == (sentence,)
    assert sentence in as_text(reports[chosen], "table")
    assert json.loads(as_text(reports[chosen], "json"))["clock_offset_ms"] == 61_250
