"""Whatever Binance may send survives the way into the database and back, digit for digit, on both engines."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.domain.balances import Balance, digest, plain
from collector.storage import history
from collector.storage.columns import Amount, Millis, Seconds
from collector.storage.reader import reading
from tests.ledgers import T0, ask, held, opened, record, recorder, register, snapshot, stored

numbers = itertools.count()
often = settings(max_examples=50)

FIRST, LAST = 1_483_228_800, 4_102_444_799
"""The first second of 2017 and the last of 2099."""


@st.composite
def amounts(draw: st.DrawFn) -> str:
    """A plain decimal of at most 40 digits, trailing zeros and zeros of any length included."""
    digits = draw(st.text("0123456789", min_size=1, max_size=40) | st.text("0", min_size=1, max_size=40))
    point = draw(st.integers(min_value=0, max_value=len(digits) - 1))
    whole, fraction = digits[: len(digits) - point], digits[len(digits) - point :]
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200)
AWKWARD = ["0", "0.00000000", "0." + "0" * 29 + "1", "9" * 40, "50300000001.44911105"]


def balance(name: str, texts: list[str], valuation: str | None) -> Balance:
    """A balance of five amounts and a valuation."""
    free, *others = texts
    return held(
        name,
        free,
        **dict(zip(("locked", "frozen", "withdrawing", "ipoable"), others, strict=True)),
        btc_valuation=valuation,
    )


def texts_of(b: Balance) -> list[str | None]:
    """All six amounts as text."""
    exact = (b.free, b.locked, b.frozen, b.withdrawing, b.ipoable, b.btc_valuation)
    return [text_of(amount) for amount in exact]


def text_of(amount: Decimal | None) -> str | None:
    """Digit for digit; Decimals compare as equal whatever zeros they end with."""
    return None if amount is None else plain(amount)


@often
@given(
    sent=st.dictionaries(names, st.lists(amounts(), min_size=6, max_size=6), max_size=6),
    with_valuations=st.booleans(),
    name=names,
)
@example(
    sent={"1INCH": [*AWKWARD, "0.00000000"]},
    with_valuations=True,
    name="'\"`; DROP TABLE tick --",
)
@example(
    sent={"币安人生": ["1", "0", "0", "0", "0", "1"], "\U0001f600": ["2"] * 6, "\uffff": ["3"] * 6},
    with_valuations=False,
    name="%s ? :a $1 \\",
)
def test_any_snapshot_comes_back_as_it_was_sent(
    database_url: str, sent: dict[str, list[str]], name: str, *, with_valuations: bool
) -> None:
    """The first promise, over the whole way: store, history, digest; rows of zeros aside."""
    taken = snapshot(
        *(balance(asset, texts[:5], texts[5] if with_valuations else None) for asset, texts in sent.items()),
        btc_requested=with_valuations,
        extra={asset: {"field": f'"{asset}"'} for asset in sent},
    )
    with recorder(database_url) as writer:
        account = register(writer, f"{next(numbers)} {name}"[:200])
        assert record(writer, stored(account, T0, taken))
    with reading(database_url) as connection:
        assert history.latest(connection, account) is not None
        seen = history.as_of(connection, account, T0)
    assert seen is not None
    expected = {
        asset: [*texts[:5], texts[5] if with_valuations else None]
        for asset, texts in sent.items()
        if any(Decimal(text) for text in (texts if with_valuations else texts[:5]))
    }
    assert {b.asset: texts_of(b) for b in seen.balances} == expected
    assert [b.asset for b in seen.balances] == sorted(expected)
    assert seen.digest == digest(seen.balances) == digest(taken.balances)
    assert (seen.extra, seen.account.name) == (taken.extra, account.name)
    assert text_of(seen.btc_total) == text_of(taken.btc_total)


@often
@given(text=amounts())
def test_the_text_in_the_database_is_the_text_that_was_sent(database_url: str, text: str) -> None:
    """What other programs read is exact too: no exponent, no digit more or less."""
    with recorder(database_url) as writer:
        account = register(writer, f"text {next(numbers)}")
        record(writer, stored(account, T0, snapshot(held("X", text, locked="1"))))
    assert ask(database_url, f"SELECT CAST(free AS TEXT) FROM balance WHERE account_id = {account.id}") == [(text,)]


@often
@given(due_at=st.integers(FIRST, LAST), within_ms=st.integers(0, 999))
@example(due_at=FIRST, within_ms=0)
@example(due_at=LAST, within_ms=999)
@example(due_at=1_711_846_800, within_ms=1)  # a clock change in Europe
def test_any_instant_comes_back(database_url: str, due_at: int, within_ms: int) -> None:
    """To the millisecond, in any year, whatever the time zone of the server."""
    outcome_ms = due_at * 1000 + within_ms
    with recorder(database_url) as writer:
        account = register(writer, f"instant {next(numbers)}", now_s=due_at)
        writer.record_tick(stored(account, due_at), recorded_at_ms=outcome_ms)
    with reading(database_url) as connection:
        seen = history.latest(connection, account)
    assert seen is not None
    assert (seen.due_at, seen.requested_at_ms, seen.received_at_ms, seen.recorded_at_ms, account.created_at_ms) == (
        due_at,
        due_at * 1000 + 12,
        due_at * 1000 + 345,
        outcome_ms,
        due_at * 1000,
    )


@pytest.mark.parametrize("column", [Amount(), Seconds(), Millis()])
def test_null_stays_null(engine_name: str, database_url: str, column: Amount | Seconds | Millis) -> None:
    """Unknown is not zero and not 1970."""
    with opened(database_url, "reader") as engine:
        dialect = engine.dialect
    assert column.process_bind_param(None, dialect) is None
    assert column.process_result_value(None, dialect) is None


def test_assets_sort_by_code_point(database_url: str) -> None:
    """Digest, reports and primary keys must not depend on the locale of a server."""
    awkward = [
        "a",
        "B",
        "_",
        "Ä",
        "é",
        "ss",
        "ß",
        "Z",
        "z",
        "10",
        "9",
        "币",
        "\uffff",
        "\U0001f600",
        "A B",
        "A-B",
        "AB",
    ]
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0, snapshot(*(held(name) for name in awkward))))
    expected = [(name,) for name in sorted(awkward)]
    assert ask(database_url, "SELECT asset FROM balance ORDER BY asset") == expected
    assert ask(database_url, "SELECT asset FROM known_asset ORDER BY asset") == expected
    with reading(database_url) as connection:
        assert history.known_assets(connection, account) == sorted(awkward)
