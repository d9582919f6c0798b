"""What is asked of Binance: balances, clock, status, permissions and price."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from collector.binance.address import address_of
from collector.binance.budget import Budget, Moment, quota_of
from collector.binance.calls import Call, Caller, Credentials
from collector.binance.closed import ClosedSign, closed_error
from collector.binance.gate import Gate
from collector.binance.replies import (
    ApiRestrictions,
    SystemStatus,
    parse_api_restrictions,
    parse_system_status,
    parse_ticker_price,
)
from collector.binance.transport import Transport
from collector.binance.wire import parse_user_assets
from collector.domain.balances import Snapshot
from collector.errors import ExchangeError

__all__ = ["BinanceClient", "Credentials", "Reply", "wall_clock_ms"]

USER_ASSETS = "/sapi/v3/asset/getUserAsset"
SYSTEM_STATUS = "/sapi/v1/system/status"
API_RESTRICTIONS = "/sapi/v1/account/apiRestrictions"
TICKER_PRICE = "/api/v3/ticker/price"

DEFAULT_TIMEOUT_MS = 20_000
STATUS_TIMEOUT_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A snapshot, the bytes it was read from, and how it was come by.

    Instants are epoch milliseconds of the local clock and belong to the attempt that succeeded. `clock_offset_ms` is
    the server's clock minus ours as it was used for signing, None before the first measurement. `weight_used` is what
    this IP address has spent in the current minute, as Binance counts it.
    """

    snapshot: Snapshot
    body: bytes
    http_status: int
    attempts: int
    requested_at_ms: int
    received_at_ms: int
    clock_offset_ms: int | None
    weight_used: int | None


def wall_clock_ms() -> int:
    """Epoch milliseconds of the local clock."""
    return time.time_ns() // 1_000_000


class BinanceClient:
    """Reads from Binance, for any number of accounts, from any number of threads.

    `deadline_ms` of each method is an epoch millisecond of the local clock: nothing is sent and nothing accepted after
    it. Every method raises ExchangeError, with `attempts`, instants and `clock_offset_ms` filled in; NotSentError when
    no request left. `budget` is what all requests for balances share (by default 12,000 less 5 %). `now_ms` tells epoch
    milliseconds, `monotonic` seconds; `sleep` pauses between attempts (by default until `abort`) and `chance` spreads
    those pauses.
    """

    def __init__(
        self,
        base_url: str,
        *,
        recv_window_ms: int = 5000,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 15.0,  # above the 10 s after which Binance itself gives up
        pool_size: int = 32,
        user_agent: str = "binance-asset-collector",
        allow_plain_http: bool = False,
        max_attempts: int = 6,
        budget: Budget | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._transport = Transport(
            address_of(base_url, allow_plain_http=allow_plain_http),
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            pool_size=pool_size,
            user_agent=user_agent,
            now_ms=now_ms,
        )
        self._now_ms = now_ms
        self._caller = Caller(
            self._transport,
            recv_window_ms=recv_window_ms,
            max_attempts=max_attempts,
            now_ms=now_ms,
            monotonic=monotonic,
            sleep=sleep or self._transport.pause,
            chance=chance,
        )
        self._gate = Gate(
            budget or Budget(quota_of(12_000, 0.05)),
            moment=lambda: Moment(steady_ms=monotonic() * 1000, server_ms=self._caller.server_ms()),
            pause=sleep or self._transport.pause,
        )
        self._closed = ClosedSign(self._status_soon, monotonic=monotonic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cut off what is in flight and let go of all connections."""
        self._transport.close()

    def abort(self) -> None:
        """Cut off all requests in flight, from any thread: they end as `aborted`, like any that is begun later."""
        self._transport.abort()

    def fetch_user_assets(
        self, credentials: Credentials, *, asset: str | None = None, btc_valuation: bool = True, deadline_ms: int
    ) -> Reply:
        """Ask for an account's balances (weight 5): of all assets, or of one."""
        params = (("asset", asset),) if asset is not None else ()
        call = Call(
            method="POST",
            path=USER_ASSETS,
            read=lambda body: parse_user_assets(body, btc_requested=btc_valuation),
            params=(*params, ("needBtcValuation", "true")) if btc_valuation else params,
            credentials=credentials,
            gate=self._gate,
        )
        try:
            done = self._caller.make(call, deadline_ms)
        except ExchangeError as error:
            if self._closed.explains(error, deadline_ms):
                raise closed_error(error) from error
            raise
        return Reply(
            snapshot=done.value,
            body=done.answer.body,
            http_status=done.answer.status,
            attempts=done.attempts,
            requested_at_ms=done.answer.requested_at_ms,
            received_at_ms=done.answer.received_at_ms,
            clock_offset_ms=done.clock_offset_ms,
            weight_used=done.weight_used,
        )

    def server_offset_ms(self, *, deadline_ms: int | None = None) -> int:
        """Measure the server's clock minus ours by the midpoint of a round trip; signing uses it from now on."""
        return self._caller.measure_offset(self._or_default(deadline_ms))

    @property
    def known_offset_ms(self) -> int | None:
        """The newest of these measurements; None before the first one."""
        return self._caller.offset_ms

    def system_status(self, *, deadline_ms: int | None = None) -> SystemStatus:
        """Ask whether Binance is closed for maintenance."""
        call = Call(method="GET", path=SYSTEM_STATUS, read=parse_system_status)
        return self._caller.make(call, self._or_default(deadline_ms)).value

    def api_restrictions(self, credentials: Credentials, *, deadline_ms: int | None = None) -> ApiRestrictions:
        """Ask what an API key may do."""
        call = Call(method="GET", path=API_RESTRICTIONS, read=parse_api_restrictions, credentials=credentials)
        return self._caller.make(call, self._or_default(deadline_ms)).value

    def btc_price(self, quote: str, *, deadline_ms: int | None = None) -> Decimal:
        """Ask for the price of one BTC in another currency, such as USDT."""
        symbol = f"BTC{quote}"
        call = Call(
            method="GET",
            path=TICKER_PRICE,
            read=lambda body: parse_ticker_price(body, symbol),
            params=(("symbol", symbol),),
        )
        return self._caller.make(call, self._or_default(deadline_ms)).value

    def _status_soon(self, deadline_ms: int) -> SystemStatus:
        return self.system_status(deadline_ms=min(deadline_ms, self._now_ms() + STATUS_TIMEOUT_MS))

    def _or_default(self, deadline_ms: int | None) -> int:
        return self._now_ms() + DEFAULT_TIMEOUT_MS if deadline_ms is None else deadline_ms
