"""A real daemon behind an address that somebody else uses too."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.binance.budget import Budget, quota_of
from collector.binance.client import BinanceClient, Credentials
from collector.binance.signing import HmacSigner
from collector.sandbox.limits import Limits
from collector.sandbox.server import Sandbox
from tests.daemons import Crew, asked, until
from tests.ledgers import ask

WEIGHT = 300
"""60 requests a minute: one account at one second fills it."""


def early_in_a_minute() -> Callable[[], int]:
    """A clock that goes on from two seconds after the turn of a minute: it turns after none of these tests."""
    ahead_ms = 2_000 - time.time_ns() // 1_000_000 % 60_000
    return lambda: time.time_ns() // 1_000_000 + ahead_ms


def ask_as_somebody_else(exchange: Sandbox, requests: int) -> None:
    """Another program of the same owner, behind the same address."""
    account = exchange.accounts[0]
    key = Credentials(api_key=account.api_key, signer=HmacSigner(account.api_secret))
    with BinanceClient(exchange.base_url, budget=Budget(quota_of(WEIGHT, 0.0))) as client:
        client.server_offset_ms()
        for _ in range(requests):
            client.fetch_user_assets(key, deadline_ms=time.time_ns() // 1_000_000 + 30_000)


@pytest.mark.parametrize("rolling", [False, True])
def test_what_somebody_else_has_used_is_left_alone(tmp_path: Path, *, rolling: bool) -> None:
    """55 of 60 are gone: the daemon finds out by its first answer, asks four times more, and then waits by name."""
    limits = Limits(weight=WEIGHT, rolling=rolling, ban_after=0)
    url = f"sqlite:///{tmp_path / 'collector.db'}"
    with (
        Sandbox(1, limits=limits, clock=early_in_a_minute()) as exchange,
        Crew(folder=tmp_path, exchange=exchange, url=url) as one,
    ):
        ask_as_somebody_else(exchange, 55)
        daemon = one.start(COLLECTOR_BINANCE__WEIGHT_PER_MINUTE=str(WEIGHT), COLLECTOR_BINANCE__HEADROOM="0")
        daemon.first_due_at()
        until("a tick that waits", lambda: ask(url, "SELECT 1 FROM missed WHERE reason = 'waiting'") != [])
        daemon.stop()
        assert {entry.status for entry in asked(exchange)} == {200}
        assert len(asked(exchange)) == 60
        assert ask(url, "SELECT count(*) FROM tick WHERE outcome = 'stored'") == [(5,)]
        assert ask(url, "SELECT count(*) FROM tick WHERE outcome <> 'stored'") == [(0,)]
