"""Requests are spread so that no minute can exceed the weight limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.binance.budget import offsets_ms
from collector.errors import ConfigError


def test_a_lone_account_asks_at_once() -> None:
    """Punctuality is what a single user sees."""
    assert offsets_ms(1, interval_s=1) == (0,)
    assert offsets_ms(0, interval_s=1) == ()


def test_accounts_follow_one_another_at_the_limit() -> None:
    """2,376 requests a minute: 12,000 less 1 %, 5 each."""
    assert offsets_ms(5, interval_s=300) == (0, 25, 50, 75, 101)


def test_a_whole_fleet_fits_into_a_minute() -> None:
    """2,280 accounts at one minute are what one address can serve, with two seconds for the last answer."""
    offsets = offsets_ms(2280, interval_s=60)
    assert len(offsets) == 2280
    assert offsets[-1] == 57_550


def test_a_position_keeps_its_offset_when_accounts_are_added() -> None:
    """Adding an account must not shift the others' instants."""
    assert offsets_ms(2000, interval_s=60)[:100] == offsets_ms(100, interval_s=60)


@given(
    st.integers(1, 400),
    st.integers(1, 60),
    st.integers(5, 12_000),
    st.integers(1, 50),
    st.sampled_from([0.0, 0.01, 0.5]),
)
def test_no_minute_exceeds_the_limit(
    accounts: int, interval_s: int, weight_per_minute: int, weight: int, headroom: float
) -> None:
    """Neither an aligned nor a rolling minute, nor one that spans several ticks: a ban would stop every account."""
    try:
        offsets = offsets_ms(
            accounts, interval_s=interval_s, weight_per_minute=weight_per_minute, weight=weight, headroom=headroom
        )
    except ConfigError:
        return
    ticks = 120 // interval_s + 1
    instants = [tick * interval_s * 1000 + offset for tick in range(ticks) for offset in offsets]
    assert instants == sorted(instants)
    for first, start in enumerate(instants[: len(offsets)]):
        in_minute = sum(1 for instant in instants[first:] if instant < start + 60_000)
        assert in_minute * weight <= weight_per_minute * (1 - headroom)


def test_too_many_accounts_are_refused_with_the_numbers() -> None:
    """The operator sees at start what a ban would have told."""
    with pytest.raises(ConfigError) as raised:
        offsets_ms(2500, interval_s=60)
    assert str(raised.value) == (
        "2500 accounts don't fit into an interval of 60 s: with weight 5 each and 12000 a minute, 1 % of it kept free,"
        " 2297 do; lengthen the interval or take accounts away"
    )


@pytest.mark.parametrize(
    ("limit", "weight", "headroom"), [(4, 5, 0.0), (0, 5, 0.0), (12_000, 0, 0.0), (12_000, 5, 1.0), (12_000, 5, -0.1)]
)
def test_a_limit_that_leaves_nothing_is_refused(limit: int, weight: int, headroom: float) -> None:
    """A division by zero would be no advice."""
    with pytest.raises(ConfigError, match="leaves no request of weight"):
        offsets_ms(1, interval_s=60, weight_per_minute=limit, weight=weight, headroom=headroom)
