"""Requests are spread and counted so that no minute, aligned or rolling, can exceed the weight limit."""

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.binance.budget import Budget, Moment, Quota, offsets_ms, quota_of
from collector.errors import ConfigError

SMALL = Quota(limit=12, placed=8, ceiling=10, brink=11)


def at(ms: float, *, server_ms: float | None = None) -> Moment:
    """An instant that both clocks show alike, unless said."""
    return Moment(steady_ms=ms, server_ms=ms if server_ms is None else server_ms)


def sent(budget: Budget, *instants: float, retry: bool = False) -> list[int]:
    """Requests that leave at these instants; returns their numbers."""
    return [budget.leave(at(ms), retry=retry) for ms in instants]


def most_in_a_minute(instants: list[float]) -> int:
    """The largest number of instants in any 60 seconds, which begin with one of them."""
    ordered = sorted(instants)
    return max((bisect_left(ordered, start + 60_000) - n for n, start in enumerate(ordered)), default=0)


def test_a_lone_account_asks_at_once() -> None:
    """Punctuality is what a single user sees."""
    assert offsets_ms(1, interval_s=1) == (0,)
    assert offsets_ms(0, interval_s=1) == ()


def test_accounts_follow_one_another_at_the_limit() -> None:
    """2,376 requests a minute: 12,000 less 1 %, 5 each."""
    assert offsets_ms(5, interval_s=300, headroom=0.01) == (0, 25, 50, 75, 101)


@pytest.mark.parametrize(
    ("headroom", "most", "last_ms"), [(0.05, 2280, 59_973), (0.01, 2376, 59_974), (0, 2400, 59_975)]
)
def test_a_whole_fleet_fits_into_a_minute(headroom: float, most: int, last_ms: int) -> None:
    """What one address can serve is used to the last request: each account has a whole interval from its turn on."""
    offsets = offsets_ms(most, interval_s=60, headroom=headroom)
    assert (len(offsets), offsets[-1]) == (most, last_ms)
    with pytest.raises(ConfigError):
        offsets_ms(most + 1, interval_s=60, headroom=headroom)


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
def test_no_minute_of_several_ticks_exceeds_the_limit(
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
    instants = [tick * interval_s * 1000.0 + offset for tick in range(ticks) for offset in offsets]
    assert instants == sorted(instants)
    assert most_in_a_minute(instants) * weight <= weight_per_minute * (1 - headroom)


def test_too_many_accounts_are_refused_with_the_numbers() -> None:
    """The operator sees at start what a ban would have told."""
    with pytest.raises(ConfigError) as raised:
        offsets_ms(2500, interval_s=60, headroom=0.01)
    assert str(raised.value) == (
        "2500 accounts don't fit into an interval of 60 s: with weight 5 each and 12000 a minute, 1 % of it kept free,"
        " 2376 do; lengthen the interval or take accounts away"
    )


@pytest.mark.parametrize(
    ("limit", "weight", "headroom"), [(4, 5, 0.0), (0, 5, 0.0), (12_000, 0, 0.0), (12_000, 5, 1.0), (12_000, 5, -0.1)]
)
def test_a_limit_that_leaves_nothing_is_refused(limit: int, weight: int, headroom: float) -> None:
    """A division by zero would be no advice."""
    with pytest.raises(ConfigError, match="leaves no request of weight"):
        offsets_ms(1, interval_s=60, weight_per_minute=limit, weight=weight, headroom=headroom)


@pytest.mark.parametrize(
    ("limit", "headroom", "quota"),
    [
        (12_000, 0.05, Quota(limit=2400, placed=2280, ceiling=2340, brink=2370)),
        (12_000, 0.01, Quota(limit=2400, placed=2376, ceiling=2388, brink=2394)),
        (12_000, 0.0, Quota(limit=2400, placed=2400, ceiling=2400, brink=2400)),
        (5, 0.0, Quota(limit=1, placed=1, ceiling=1, brink=1)),
    ],
)
def test_half_of_the_head_room_is_for_retries(limit: int, headroom: float, quota: Quota) -> None:
    """The other half is for what comes late or from others: a request too many is answered by a ban."""
    assert quota_of(limit, headroom) == quota


def test_a_full_minute_has_room_again_when_its_oldest_request_is_a_minute_old() -> None:
    """No later than Binance itself would say so, and not a request more."""
    budget = Budget(SMALL)
    sent(budget, *range(0, 10_000, 1000))
    assert budget.wait_ms(at(9_000)) == 51_000
    assert budget.wait_ms(at(59_999)) == 1
    assert budget.wait_ms(at(60_000)) == 0
    sent(budget, 60_000)
    assert budget.wait_ms(at(60_000)) == 1_000


def test_whoever_is_behind_others_waits_for_as_many_places() -> None:
    """Else all who wait would wake up at once, for one place."""
    budget = Budget(SMALL)
    sent(budget, *range(0, 10_000, 1000))
    assert budget.wait_ms(at(10_000), ahead=3) == 53_000
    assert budget.wait_ms(at(10_000), ahead=40) > 0
    assert Budget(SMALL).wait_ms(at(0), ahead=10) == 60_000


def test_retries_leave_room_for_the_first_attempts_of_a_minute() -> None:
    """A storm of retries must not turn one bad minute into a second one."""
    budget = Budget(SMALL, planned=8)
    sent(budget, 0, 10, retry=True)
    assert budget.wait_ms(at(20), retry=True) == 59_980
    assert budget.wait_ms(at(20)) == 0
    assert Budget(SMALL, planned=8).wait_ms(at(0), retry=True, retries_ahead=2) == 60_000


def test_a_fleet_that_fills_the_limit_has_no_retries_without_head_room() -> None:
    """There is no weight for them, and first attempts come first."""
    budget = Budget(quota_of(50, 0.0), planned=10)
    assert budget.wait_ms(at(0), retry=True) == 60_000
    assert budget.wait_ms(at(0)) == 0


def test_what_others_use_is_taken_off() -> None:
    """Somebody else behind the address spends from the same limit."""
    budget = Budget(SMALL)
    for n, number in enumerate(sent(budget, 0, 1000, 2000, 3000)):
        budget.told(number, at(n * 1000), 5 * (n + 1 + 3), at(n * 1000 + 200))
    assert budget.foreign == 3
    sent(budget, 4000, 5000, 6000)
    assert budget.wait_ms(at(7_000)) == 53_000
    assert budget.wait_ms(at(63_201)) == 0
    assert budget.foreign == 0


def test_the_most_that_others_used_lately_counts() -> None:
    """They come in bursts, and an aligned count shows them at the end of its minute only."""
    budget = Budget(SMALL)
    for ms, others in ((0, 2), (20_000, 5), (50_000, 1)):
        (number,) = sent(budget, ms)
        budget.told(number, at(ms), 5 * (number + others), at(ms))
    assert budget.foreign == 5
    assert budget.wait_ms(at(80_000)) == 0
    assert budget.foreign == 1


def test_what_binance_does_not_count_yet_is_not_held_against_others() -> None:
    """Requests overtake each other: one that is still on its way is ours all the same."""
    budget = Budget(SMALL)
    first, _, _ = sent(budget, 0, 1, 2)
    budget.told(first, at(0), 15, at(200))
    assert budget.foreign == 0


def test_an_answer_that_comes_late_tells_nothing_of_others() -> None:
    """What was ours in its minute may be forgotten by now."""
    budget = Budget(SMALL)
    (number,) = sent(budget, 0)
    budget.told(number, at(0), 50, at(9_000))
    assert budget.foreign == 0


def test_others_who_use_everything_leave_one_request_a_minute() -> None:
    """It finds out when they have stopped."""
    budget = Budget(SMALL)
    (number,) = sent(budget, 0)
    budget.told(number, at(0), 54, at(100))
    assert budget.foreign == 10
    assert budget.wait_ms(at(100)) == 59_900
    assert budget.wait_ms(at(60_000)) == 0


def test_near_the_limit_nothing_leaves_until_the_next_minute() -> None:
    """The last word is Binance's own count, with what left since: here 9 of 12 and two on their way."""
    budget = Budget(SMALL)
    first, _, _ = sent(budget, 100_000, 100_001, 100_002)
    budget.told(first, at(100_000), 45, at(100_010))
    assert budget.wait_ms(at(100_010, server_ms=100_010)) == 19_990
    assert budget.wait_ms(at(100_010, server_ms=119_999)) == 1
    assert budget.wait_ms(at(120_000)) == 0


def test_an_answer_that_was_overtaken_does_not_bring_an_old_count_back() -> None:
    """After the turn of the minute the old count is over."""
    budget = Budget(SMALL)
    old, new = sent(budget, 59_999, 60_000)
    budget.told(new, at(60_000), 5, at(60_100))
    budget.told(old, at(59_999, server_ms=60_001), 55, at(66_000))
    assert budget.wait_ms(at(66_000)) == 0


def test_a_closed_budget_gives_nothing_until_its_time() -> None:
    """A ban holds for requests too that only wait between two attempts; the longest one counts."""
    budget = Budget(SMALL)
    budget.close(5_000)
    budget.close(3_000)
    assert budget.wait_ms(at(1_000)) == 4_000
    assert budget.wait_ms(at(5_000), retry=True) == 0


@given(
    st.integers(1, 30).flatmap(
        lambda limit: st.tuples(
            st.just(limit),
            st.integers(0, limit),
            st.lists(st.tuples(st.integers(0, 9_000), st.booleans()), max_size=150),
        )
    ),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_no_sequence_of_requests_exceeds_the_limit(
    life: tuple[int, int, list[tuple[int, bool]]], headroom: float
) -> None:
    """Whoever asks, however fast: each waits until it may leave, or comes back later."""
    limit, planned, steps = life
    try:
        quota = quota_of(limit * 5, headroom)
    except ConfigError:
        return
    budget, now, left, retries = Budget(quota, planned=planned), 0.0, [], []
    for pause_ms, retry in steps:
        now += pause_ms
        wait_ms = budget.wait_ms(at(now), retry=retry)
        if retry and wait_ms:
            continue  # its deadline has come
        assert wait_ms <= 60_000
        now += wait_ms
        assert budget.wait_ms(at(now), retry=retry) == 0
        budget.leave(at(now), retry=retry)
        left.append(now)
        retries += [now] if retry else []
    assert most_in_a_minute(left) <= quota.ceiling <= limit
    assert most_in_a_minute(retries) <= max(0, quota.ceiling - planned)
    aligned = [now // 60_000 for now in left]
    assert max(map(aligned.count, aligned), default=0) <= quota.ceiling


@given(st.lists(st.integers(0, 100), min_size=1, max_size=200))
def test_first_attempts_are_never_late_because_of_retries(storm: list[int]) -> None:
    """Eight accounts a minute, and as many retries in between as the budget gives."""
    budget, retries = Budget(SMALL, planned=8), iter(storm)
    for first_ms in range(0, 300_000, 7_500):
        assert budget.wait_ms(at(first_ms)) == 0
        budget.leave(at(first_ms))
        for pause_ms in [next(retries, 100) for _ in range(20)]:
            if budget.wait_ms(at(first_ms + pause_ms), retry=True) == 0:
                budget.leave(at(first_ms + pause_ms), retry=True)


@given(
    st.integers(0, 5),
    st.booleans(),
    st.integers(0, 59_999),
    st.lists(st.integers(0, 4_000), min_size=100, max_size=300),
)
def test_an_exchange_that_others_use_too_is_not_brought_to_its_limit(
    others: int,
    rolling: bool,  # noqa: FBT001 - hypothesis hands it over
    phase_ms: int,
    pauses: list[int],
) -> None:
    """Others spend evenly what they spend; the exchange counts aligned or rolling, and tells with each answer."""
    limit = 40
    budget = Budget(quota_of(limit * 5, 0.3))
    every_ms = 60_000 / others if others else float("inf")
    ours: list[float] = []
    now = 0.0
    for pause_ms in pauses:
        now += pause_ms
        now += budget.wait_ms(at(now, server_ms=now + phase_ms))
        begin = now - 60_000 if rolling else now - (now + phase_ms) % 60_000 - 1
        foreign = sum(1 for n in range(int(now // every_ms) + 1) if n * every_ms > begin) if others else 0
        number = budget.leave(at(now, server_ms=now + phase_ms))
        ours.append(now)
        used = foreign + sum(1 for left in ours if left > begin)
        assert used <= limit
        budget.told(number, at(now, server_ms=now + phase_ms), used * 5, at(now, server_ms=now + phase_ms))


def test_what_left_a_little_more_than_a_minute_ago_may_still_be_ours() -> None:
    """It may have reached Binance later than the one that was answered, as those before it."""
    budget = Budget(SMALL)
    sent(budget, 0, 800)
    (number,) = sent(budget, 60_200)
    budget.told(number, at(60_200), 15, at(60_300))
    assert budget.foreign == 0
    (number,) = sent(budget, 60_400)
    budget.told(number, at(60_400), 20, at(60_500))
    assert budget.foreign == 1
