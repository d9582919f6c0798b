"""Thinning against a naive reference that groups by the calendar."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.thinning import FOREVER, Keep, Rule, fates, parse_span, thinned_ranges, together
from collector.domain.ticks import TickRange
from tests.naive_thinning import surviving

T0 = 1_699_999_800
"""2023-11-14 22:10:00 UTC, a Tuesday."""

rules = st.lists(
    st.builds(
        Rule,
        keep=st.sampled_from(list(Keep)),
        span_s=st.sampled_from([3_600, 86_400, 10 * 86_400, 90 * 86_400, FOREVER]),
    ),
    min_size=1,
    max_size=4,
)
histories = st.tuples(st.sampled_from([60, 1_200, 7_000, 86_400]), st.sets(st.integers(0, 300), min_size=1)).map(
    lambda drawn: sorted(T0 // drawn[0] * drawn[0] + n * drawn[0] for n in drawn[1])
)


@given(histories, rules)
def test_what_stays_is_the_first_and_the_last_of_each_period(due: list[int], chosen: list[Rule]) -> None:
    """For every mixture of rules, by the calendar's own names of hours, days, weeks and months."""
    fate = dict(fates(due, chosen, newest=due[-1]))
    assert list(fate) == due
    assert {t for t, stays in fate.items() if stays} == surviving(due, chosen, due[-1])


@given(histories, rules)
def test_the_newest_snapshot_always_stays(due: list[int], chosen: list[Rule]) -> None:
    """Whatever the rules are, `latest` has an answer."""
    assert dict(fates(due, chosen, newest=due[-1]))[due[-1]]


@given(histories, rules)
def test_thinning_twice_is_thinning_once(due: list[int], chosen: list[Rule]) -> None:
    """A nightly job converges."""
    once = [t for t, stays in fates(due, chosen, newest=due[-1]) if stays]
    assert [t for t, stays in fates(once, chosen, newest=due[-1]) if stays] == once


@given(histories, st.integers(1, 299))
def test_thinning_often_keeps_what_thinning_once_keeps(due: list[int], cut: int) -> None:
    """With spans that grow with the periods, as anybody would write them, no first or last is lost on the way."""
    chosen = [
        Rule(keep=Keep.ALL, span_s=86_400),
        Rule(keep=Keep.HOURLY, span_s=10 * 86_400),
        Rule(keep=Keep.DAILY, span_s=90 * 86_400),
        Rule(keep=Keep.MONTHLY, span_s=FOREVER),
    ]
    early = due[: cut + 1]
    kept = [t for t, stays in fates(early, chosen, newest=early[-1]) if stays] + due[cut + 1 :]
    often = [t for t, stays in fates(kept, chosen, newest=due[-1]) if stays]
    once = [t for t, stays in fates(due, chosen, newest=due[-1]) if stays]
    assert set(once) <= set(often) <= set(once) | {early[-1]}


def test_nothing_is_thinned_of_nothing() -> None:
    """An account that was never stored."""
    assert list(fates([], [Rule(keep=Keep.ALL, span_s=1)], newest=0)) == []


def test_days_are_those_of_utc() -> None:
    """The last minute of a day and the first of the next are both an end."""
    midnight = 1_700_006_400
    due = [midnight - 120, midnight - 60, midnight, midnight + 60, midnight + 120]
    fate = dict(fates(due, [Rule(keep=Keep.DAILY, span_s=FOREVER)], newest=due[-1]))
    assert list(fate.values()) == [True, True, True, False, True]


def test_weeks_begin_on_monday() -> None:
    """As in ISO 8601."""
    monday = 1_699_833_600
    due = [monday - 86_400 * n for n in (2, 1, 0)] + [monday + 86_400 * n for n in (1, 6, 7)]
    fate = dict(fates(due, [Rule(keep=Keep.WEEKLY, span_s=FOREVER)], newest=due[-1]))
    assert list(fate.values()) == [True, True, True, False, True, True]


def instants(ranges: Iterable[TickRange]) -> list[int]:
    """Each due instant of the ranges."""
    return [t for r in ranges for t in range(r.start_at, r.last_due_at + 1, r.interval_s)]


@given(histories, rules, st.lists(st.integers(0, 300), max_size=3), st.integers(1, 400))
def test_ranges_are_exactly_what_goes(due: list[int], chosen: list[Rule], borders: list[int], at_most: int) -> None:
    """No range holds what stays or was never there, none crosses a border, none is longer than it may be."""
    step = min((b - a for a, b in pairwise(due)), default=60)
    changes = sorted(due[0] + n * step for n in borders)
    found = list(thinned_ranges([(t, step) for t in due], chosen, newest=due[-1], borders=changes, at_most=at_most))
    assert instants(found) == sorted(set(due) - surviving(due, chosen, due[-1]))
    assert all(r.ticks <= at_most for r in found)
    assert not any(r.start_at < change <= r.last_due_at for r in found for change in changes)
    for first, second in pairwise(found):
        assert together(first, second, changes) is None or first.ticks == at_most


def test_ranges_of_different_intervals_stay_apart() -> None:
    """Five minutes after a snapshot of every minute is not its successor."""
    first = TickRange(start_at=0, last_due_at=240, interval_s=60)
    assert together(first, TickRange(start_at=300, last_due_at=600, interval_s=300), []) is None
    assert together(first, TickRange(start_at=360, last_due_at=360, interval_s=60), []) is None
    following = TickRange(start_at=300, last_due_at=360, interval_s=60)
    assert together(first, following, [241]) is None
    assert together(first, following, [300]) is None
    assert together(first, following, [240, 301]) == TickRange(start_at=0, last_due_at=360, interval_s=60)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("12h", 43_200), ("30d", 2_592_000), ("6w", 3_628_800), ("1y", 31_536_000), ("forever", FOREVER)],
)
def test_spans_are_read(written: str, seconds: int) -> None:
    """A year has 365 days here."""
    assert parse_span(written) == seconds


@pytest.mark.parametrize("written", ["", "0d", "30", "5m", "1.5d", "-1d", "1 d", "1D", "ever", "1000000000d", "٣d"])
def test_other_spans_are_refused(written: str) -> None:
    """Minutes too: whether `m` is a month or a minute is nothing to guess at."""
    with pytest.raises(ValueError, match="is no span of time: write it like 12h, 30d"):
        parse_span(written)
