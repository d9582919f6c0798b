"""The checks against a real exchange on loopback: clock, keys, rights and whose history goes on."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from collector.binance import client as client_module
from collector.bootstrap import untracked_target
from collector.checks import CheckLine, Grade, check_binance, check_histories, exit_code_of, ok, problem, warning
from collector.collect import Target
from collector.errors import CollectorError, ConfigError, DatabaseError, ExchangeError
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.collecting import Clocks, client_of, configured, credentials, settings_of


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """Two accounts, at a time of their own."""
    clocks = Clocks()
    with Sandbox(2, clock=clocks.now_ms) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds for each question."""
    monkeypatch.setattr(client_module, "DEFAULT_TIMEOUT_MS", 3_000)


def target(exchange: Sandbox, number: int = 0) -> Target:
    """An account of the exchange that no database knows."""
    account = configured(exchange.accounts[number])
    return untracked_target(settings_of("sqlite:///nowhere", account), account)


def checked(exchange: Sandbox, *numbers: int) -> list[tuple[str, str, str]]:
    """What the checks say: grade, subject, text."""
    with client_of(exchange, Clocks()) as client:
        return [
            (str(line.grade), line.subject, line.text)
            for line in check_binance(client, [target(exchange, number) for number in numbers])
        ]


def test_a_good_key_and_a_right_clock_are_ok(exchange: Sandbox) -> None:
    """One line for the clock, one for each account."""
    exchange.set_rights("acct-0002", {"ipRestrict": True})
    assert checked(exchange, 0, 1) == [
        ("ok", "clock", "Binance's clock is 0 ms ahead of the local one"),
        ("ok", "account acct-0001", "the key may read, and nothing else, from any IP address"),
        ("ok", "account acct-0002", "the key may read, and nothing else, from listed IP addresses only"),
    ]


@pytest.mark.parametrize(
    ("rights", "text"),
    [
        (
            {"enableWithdrawals": True, "enableSpotAndMarginTrading": True},
            "the key has rights beyond reading (enableSpotAndMarginTrading, enableWithdrawals): take them away",
        ),
        ({"enableFixReadOnly": True}, None),
    ],
)
def test_rights_beyond_reading_are_warned_of(exchange: Sandbox, rights: dict[str, bool], text: str | None) -> None:
    """A collector's key that is stolen should be worth nothing."""
    exchange.set_rights("acct-0001", rights)
    [_, (grade, _, told)] = checked(exchange, 0)
    assert (grade, told) == (("warning", text) if text else ("ok", told))


def test_a_key_that_may_not_read_is_told_what_to_do(exchange: Sandbox) -> None:
    """It will be refused at each tick, so the owner should know at once."""
    body = '{"ipRestrict": false, "enableReading": false, "enableWithdrawals": true}'
    exchange.script(Fault(kind="body", path="/sapi/v1/account/apiRestrictions", body=body))
    [_, line] = checked(exchange, 0)
    assert line == (
        "warning",
        "account acct-0001",
        "the key may not read: enable reading in Binance's API management",
    )


@pytest.mark.parametrize(
    ("skew_ms", "grade", "words"),
    [
        (1_000, "ok", "1000 ms ahead of the local one"),
        (1_001, "warning", "1001 ms ahead of the local one"),
        (-1_001, "warning", "1001 ms behind the local one"),
        (-600_000, "warning", "600000 ms behind the local one"),
    ],
)
def test_a_clock_that_is_more_than_a_second_off_is_named(
    exchange: Sandbox, skew_ms: int, grade: str, words: str
) -> None:
    """It labels every snapshot; keys are checked all the same, with the time that Binance has."""
    exchange.set_skew(skew_ms)
    [(told, _, text), key] = checked(exchange, 0)
    assert told == grade
    assert words in text
    assert key[0] == "ok"


def test_a_refused_key_is_a_problem_of_its_account_only(exchange: Sandbox) -> None:
    """The other accounts are checked too, and the code says what kind of problem it was."""
    exchange.set_key_state("acct-0001", "invalid")
    with client_of(exchange, Clocks()) as client:
        lines = list(check_binance(client, [target(exchange, 0), target(exchange, 1)]))
    assert [str(line.grade) for line in lines] == ["ok", "problem", "ok"]
    assert "-2015" in lines[1].text
    assert exit_code_of(lines) == 5


def test_without_an_answer_no_key_is_tried(exchange: Sandbox) -> None:
    """With forty accounts and no network the start would take a quarter of an hour."""
    exchange.script(Fault(kind="status", status=503, path="/api/v3/time"))
    with client_of(exchange, Clocks()) as client:
        lines = list(check_binance(client, [target(exchange, 0), target(exchange, 1)]))
    assert [(str(line.grade), line.subject) for line in lines] == [("problem", "clock")]
    assert exit_code_of(lines) == 75
    assert exchange.requests(path="/sapi/v1/account/apiRestrictions") == []


def test_another_key_under_an_old_name_is_warned_of(exchange: Sandbox) -> None:
    """It may join two wallets into one history; the first key of an account is no news."""
    fresh = target(exchange)
    same = replace(fresh, account=replace(fresh.account, key_fingerprint=fresh.credentials.fingerprint))
    other = credentials(exchange.accounts[1]).fingerprint
    changed = replace(fresh, account=replace(fresh.account, key_fingerprint=other))
    [line] = check_histories([fresh, same, changed])
    assert (line.grade, line.subject) == (Grade.WARNING, "account acct-0001")
    assert line.text.startswith("the API key is not the one that this account was read with before")
    assert fresh.credentials.api_key not in line.text


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([ConfigError("c"), DatabaseError("d")], 4),
        ([DatabaseError("d"), ConfigError("c")], 6),
        ([ExchangeError("e", reason="timeout"), ConfigError("c")], 75),
        ([ExchangeError("e", reason="key_rejected", permanent=True)], 5),
    ],
)
def test_the_first_problem_gives_the_exit_code(errors: list[CollectorError], code: int) -> None:
    """Warnings don't count."""
    lines: list[CheckLine] = [ok("a", "fine"), warning("b", "mind this")]
    assert exit_code_of([*lines, *(problem("c", error) for error in errors), ok("d", "fine")]) == code
