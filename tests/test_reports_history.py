"""Reports on what was: corners that the pinned command lines do not show."""

from dataclasses import replace
from decimal import Decimal

import pytest

from collector.domain.changes import Taken, UnderWay
from collector.domain.coverage import PeriodCoverage
from collector.domain.periods import Period
from collector.domain.portfolio import Holding, holdings, summed
from collector.domain.records import Coverage
from collector.domain.statement import Flow, StatementRow, gaps_of, statement_rows
from collector.reports.bases import basis_of
from collector.reports.coverage import coverage_report
from collector.reports.diff import Pair, diff_report
from collector.reports.latest import Look, latest_report
from collector.reports.sparkline import sparkline
from collector.reports.statement import statement_report
from collector.reports.table import table_text
from collector.reports.values import Basis
from collector.reports.withdrawing import withdrawing_report
from tests.ledgers import held, snapshot
from tests.report_values import DUE, NOW_MS, account, as_text, empty_statement, gap, stored_snapshot


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ([], ""),
        ([None, None], ""),
        (["5"], "▅"),
        (["0", "0"], "▅▅"),
        (["0", "1", None, "7", "8"], "▁▂ ██"),
        (["1e-30", "2e30"], "▁█"),
    ],
)
def test_a_sparkline_has_a_blank_where_nothing_is_known(numbers: list[str | None], line: str) -> None:
    """Unknown is no low point."""
    assert sparkline([None if number is None else Decimal(number) for number in numbers]) == line


def test_dust_is_what_is_worth_next_to_nothing() -> None:
    """What has no price may be worth a lot; it is shown."""
    shot = stored_snapshot(
        snapshot(held("A", btc_valuation="0.00001"), held("B", btc_valuation="0.00000999"), held("C"), held("D", "9"))
    )
    assert [row.balance.asset for row in holdings(shot) if row.is_dust] == ["B"]
    report = latest_report([shot], [], now_ms=NOW_MS, look=Look(fold_dust=True))
    assert [row.balance.asset for row in report.rows] == ["A", "C", "D"]
    assert report.notes[-1] == "1 asset worth less than 0.00001 BTC: --all shows it"
    assert report.facts["btc_total"] == "0.00001999"


def test_only_a_stale_age_of_now_is_red() -> None:
    """As of an instant of the past every snapshot is old; and programs get no colours."""
    shot = stored_snapshot(snapshot(held("BTC")))
    late = (DUE + 601) * 1000 + 321
    assert basis_of(shot, now_ms=late).stale
    assert not basis_of(shot, now_ms=late - 1000).stale
    assert not basis_of(shot, now_ms=late, asked_s=DUE + 9999).stale
    assert not basis_of(replace(shot, interval_s=None), now_ms=late).stale
    report = latest_report([shot], [], now_ms=late)
    assert "\x1b[31m10 min 1 s ago\x1b[0m" in table_text(report, width=None, colour=True)
    assert "\x1b" not in table_text(report, width=None)


def test_shares_are_of_all_that_has_a_price() -> None:
    """And a sum adds up what accounts hold of an asset, digit for digit."""
    one = stored_snapshot(snapshot(held("A", "1.10", btc_valuation="1"), held("B", btc_valuation="3")))
    two = stored_snapshot(snapshot(held("A", "2.2", btc_valuation="4")), account("second"))
    found: tuple[Holding, ...] = summed([one, two])
    assert [(row.balance.asset, str(row.balance.free), str(row.share)) for row in found] == [
        ("A", "3.30", "62.50"),
        ("B", "1", "37.50"),
    ]
    unasked = stored_snapshot(snapshot(held("A", btc_valuation=None), btc_requested=False))
    assert [row.share for row in holdings(unasked)] == [None]


def test_a_difference_without_valuations_says_so() -> None:
    """Not asked for is not 0."""
    before = stored_snapshot(snapshot(held("A", btc_valuation=None), btc_requested=False))
    after = stored_snapshot(snapshot(held("A", "2", btc_valuation="1")))
    report = diff_report([Pair(before=before, after=after)], [], from_s=DUE, to_s=DUE + 1)
    assert report.notes[-1] == "a valuation was not asked for: changes of value are unknown"
    assert (report.facts["value_change"], report.facts["amount_effect"]) == (None, None)
    header, row = (line.split("\t") for line in as_text(report, "tsv").splitlines())
    said = dict(zip(header, row, strict=True))
    assert (said["total_change"], said["value_before"], said["value_change"], said["no_price"]) == ("1", "", "", "")


def test_what_has_always_been_withdrawing_began_at_an_unknown_time() -> None:
    """Blank, and not the first snapshot."""
    first = Taken(due_at=DUE - 600, requested_at_ms=None, received_at_ms=(DUE - 600) * 1000)
    row = UnderWay(account="main", asset="BTC", amount=Decimal(1), first=first, before=None)
    shot = stored_snapshot(snapshot(held("BTC", withdrawing="1")))
    report = withdrawing_report([row], [shot], [], now_ms=NOW_MS)
    assert as_text(report, "tsv").splitlines()[1] == (
        "main\tBTC\t1\t\t2026-03-31T11:50:00.000Z\t2026-03-31T11:50:00Z\t792"
    )
    imported = replace(row, before=first)
    assert "\t2026-03-31T11:50:00.000Z\t2026-03-31T11:50:00.000Z\t" in as_text(
        withdrawing_report([imported], [shot], [], now_ms=NOW_MS), "tsv"
    )


def covered(name: str, due: int, lost: int, account_name: str = "main") -> PeriodCoverage:
    """A day on which so many ticks were missed."""
    counts = Coverage(account=account_name, due=due, stored=due - lost, thinned=0, failed=0, missed=lost)
    period = Period(name=name, start_s=0, end_s=86_400)
    return PeriodCoverage(period=period, counts=counts, failed_by={}, missed_by={"paused": lost}, longest_gap=None)


def test_the_calendar_has_a_character_for_each_day() -> None:
    """A day on which nothing was due is neither good nor bad."""
    days = [covered(f"2026-03-{day:02}", *counts) for day, counts in enumerate([(0, 0), (9, 0), (1000, 1), (9, 3)], 1)]
    days += [covered("2026-04-02", 9, 9)]
    report = coverage_report(days, [Basis(account="main")], [], by="day", tz="UTC", strip=True)
    assert report.notes == ("2026-03  ·█▓▒", "2026-04   ░")
    two = [covered("2026-03-01", 1, 0), covered("2026-03-01", 1, 0, "b")]
    several = coverage_report(two, [], [], by="day", tz="UTC", strip=True)
    assert several.notes == ("main 2026-03  █", "b 2026-03  █")
    assert coverage_report(days, [], [], by="day", tz="UTC").notes == ()


def test_a_statement_names_what_was_pruned() -> None:
    """Its movements are gone, and nobody can make them again."""
    counts = Coverage(account="main", due=10, stored=6, thinned=4, failed=0, missed=0)
    report = statement_report(empty_statement(coverage=counts), tz="UTC")
    assert report.warnings == (
        "4 snapshots of this time were pruned: what rose and fell again between those that stayed is not seen",
    )
    assert report.notes[0].startswith("opening: snapshot due 2026-03-31T12:00:00Z")


def test_a_statement_says_opening_plus_increase_minus_decrease_is_closing() -> None:
    """Also of an asset that came and went."""
    opening = stored_snapshot(snapshot(held("A", "3", btc_valuation="1")))
    closing = stored_snapshot(snapshot(held("A", "5", btc_valuation="2")))
    flows = {"A": Flow(increase=Decimal(4), decrease=Decimal(2)), "B": Flow(increase=Decimal(1), decrease=Decimal(1))}
    rows: tuple[StatementRow, ...] = statement_rows(opening, closing, flows)
    assert [row.asset for row in rows] == ["A", "B"]
    for row in rows:
        assert row.opening is not None
        assert row.opening.total + row.flow.increase - row.flow.decrease == row.closing.total
    assert rows[0].effects is not None
    assert rows[0].effects.value == 1


def test_many_gaps_of_several_accounts_are_named_by_account() -> None:
    """The newest of all, whosever they are."""
    gaps = [gap(DUE + 600), gap(DUE), gap(DUE + 300, name="second")]
    report = latest_report([stored_snapshot(snapshot())], gaps, now_ms=NOW_MS)
    assert report.warnings == (
        "account main: gap of 1 tick at 2026-03-31T12:00:00Z: not_running",
        "account second: gap of 1 tick at 2026-03-31T12:05:00Z: not_running",
        "account main: gap of 1 tick at 2026-03-31T12:10:00Z: not_running",
    )
    assert gaps_of("main", [], [], open_end=True) == []
