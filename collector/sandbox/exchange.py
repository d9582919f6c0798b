"""Answers requests as Binance would, without any I/O: routes, keys, signatures, weights and the endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from collector.sandbox.answers import Answer, RefusedError, error, html, ok, refuse
from collector.sandbox.limits import WeightMeter
from collector.sandbox.members import Member, Members
from collector.sandbox.parameters import check_window, mandatory, optional_flag, read_parameters
from collector.sandbox.prices import SYMBOLS, price_at

USER_ASSET = "/sapi/v3/asset/getUserAsset"
RESTRICTIONS = "/sapi/v1/account/apiRestrictions"
SYSTEM_STATUS = "/sapi/v1/system/status"
TIME = "/api/v3/time"
TICKER = "/api/v3/ticker/price"
_KEY_LENGTH = 64
_CREATED_MS = 1_600_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came: the query and the body are the bytes on the wire."""

    method: str
    path: str
    query: bytes
    body: bytes
    headers: Mapping[str, str]
    client_ip: str
    # The sandbox's own clock, and what the exchange believes: they differ by the skew.
    now_ms: int
    server_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    method: str
    weight: int
    answer: Callable[[Request], Answer]


class Exchange:
    """The endpoints for the accounts in `members`."""

    def __init__(self, members: Members, meter: WeightMeter, *, seed: int) -> None:
        self._members = members
        self._meter = meter
        self._seed = seed
        self._routes = {
            USER_ASSET: _Route(method="POST", weight=5, answer=self._user_asset),
            RESTRICTIONS: _Route(method="GET", weight=1, answer=self._restrictions),
            SYSTEM_STATUS: _Route(method="GET", weight=1, answer=_normal_status),
            TIME: _Route(method="GET", weight=1, answer=_server_time),
            TICKER: _Route(method="GET", weight=2, answer=self._ticker),
        }

    def weigh(self, request: Request) -> tuple[tuple[str, str], Answer | None]:
        """Counts the request's weight: the header that tells it, and the refusal when it is too much."""
        route = self._routes.get(request.path)
        used, refusal = self._meter.count(
            request.client_ip, request.path, route.weight if route else 1, request.server_ms
        )
        name = "X-SAPI-USED-IP-WEIGHT-1M" if request.path.startswith("/sapi/") else "X-MBX-USED-WEIGHT-1M"
        return (name, str(used)), refusal

    def answer(self, request: Request) -> Answer:
        """The answer of an exchange in good health."""
        route = self._routes.get(request.path)
        if route is None:
            return html(404, "404 Not found")
        if request.method != route.method:
            return error(-1000, f"Request method '{request.method}' not supported", status=400)
        try:
            return route.answer(request)
        except RefusedError as refused:
            return refused.answer

    def _user_asset(self, request: Request) -> Answer:
        member, values = self._signed(request)
        valued = optional_flag(values, "needBtcValuation")
        body = member.wallet.reply(request.now_ms, asset=values.get("asset", ""), valued=valued)
        return Answer(body=body, held_ms=request.now_ms)

    def _restrictions(self, request: Request) -> Answer:
        member, _ = self._signed(request)
        return ok({**member.rights, "createTime": _CREATED_MS})

    def _ticker(self, request: Request) -> Answer:
        values = read_parameters(request.query, b"", is_form=False).values
        if "symbol" not in values:
            return ok([_ticker_row(self._seed, symbol, request.now_ms) for symbol in SYMBOLS])
        symbol = mandatory(values, "symbol")
        if symbol not in SYMBOLS:
            raise refuse(-1121)
        return ok(_ticker_row(self._seed, symbol, request.now_ms))

    def _signed(self, request: Request) -> tuple[Member, Mapping[str, str]]:
        """Whose request this is, and its parameters, once key, window and signature are right."""
        member = self._member(request)
        is_form = "json" not in request.headers.get("content-type", "")
        parameters = read_parameters(request.query, request.body, is_form=is_form)
        mandatory(parameters.values, "timestamp")
        signature = mandatory(parameters.values, "signature")
        check_window(parameters.values, request.server_ms)
        # A payload that is not percent-encoded is never right, whatever it was signed with.
        if not parameters.payload.isascii() or not member.verify(parameters.payload, signature):
            raise refuse(-1022)
        if member.key_state == "invalid" or not member.rights["enableReading"]:
            raise refuse(-2015)
        return member, parameters.values

    def _member(self, request: Request) -> Member:
        api_key = request.headers.get("x-mbx-apikey", "")
        member = self._members.with_key(api_key)
        if member is not None:
            return member
        if len(api_key) == _KEY_LENGTH and api_key.isalnum():
            raise refuse(-2008)
        raise refuse(-2014)


def _server_time(request: Request) -> Answer:
    return ok({"serverTime": request.server_ms})


def _normal_status(_: Request) -> Answer:
    return ok({"status": 0, "msg": "normal"})


def _ticker_row(seed: int, symbol: str, at_ms: int) -> dict[str, str]:
    return {"symbol": symbol, "price": price_at(seed, symbol, at_ms)}
