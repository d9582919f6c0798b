"""The controls over HTTP, below /sandbox, for users in other processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collector.errors import UsageError
from collector.sandbox.accounts import Account
from collector.sandbox.controls import Controls
from collector.sandbox.faults import fault_from
from collector.sandbox.members import KeyState

T = TypeVar("T")
Handler = Callable[[Controls, Request], Awaitable[Any]]


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /sandbox/accounts/NAME may change; new credentials come as a pair."""

    key_state: KeyState | None = None
    rights: dict[str, bool] | None = None
    api_key: str | None = None
    api_secret: str | None = None


class ClockChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /sandbox/clock sets."""

    skew_ms: int


def control_routes(controls: Controls) -> list[Route]:
    """The routes that read and change `controls`; docs/sandbox.md describes them."""
    return [
        Route("/accounts", _serve(controls, _accounts), methods=["GET"]),
        Route("/accounts/{name}", _serve(controls, _change_account), methods=["POST"]),
        Route("/accounts/{name}/reply", _serve(controls, _set_reply), methods=["PUT"]),
        Route("/truth", _serve(controls, _truth), methods=["GET"]),
        Route("/requests", _serve(controls, _requests), methods=["GET"]),
        Route("/faults", _serve(controls, _faults), methods=["GET"]),
        Route("/faults", _serve(controls, _add_faults), methods=["POST"]),
        Route("/faults", _serve(controls, _clear_faults), methods=["DELETE"]),
        Route("/clock", _serve(controls, _clock), methods=["GET"]),
        Route("/clock", _serve(controls, _set_clock), methods=["POST"]),
    ]


def _serve(controls: Controls, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The handler's value as JSON; a user's mistake as 400 with its sentence."""

    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(controls, request))
        except UsageError as mistake:
            return JSONResponse({"error": str(mistake)}, status_code=400)

    return endpoint


async def _accounts(controls: Controls, _: Request) -> Any:
    return [_described(controls, account) for account in controls.accounts]


async def _change_account(controls: Controls, request: Request) -> Any:
    name, change = request.path_params["name"], _decoded(await request.body(), AccountChange)
    if (change.api_key is None) != (change.api_secret is None):
        raise UsageError("api_key and api_secret belong together: give both or none")
    controls.set_rights(name, change.rights or {})
    if change.key_state is not None:
        controls.set_key_state(name, change.key_state)
    if change.api_key is not None and change.api_secret is not None:
        controls.change_key(Account(name=name, api_key=change.api_key, api_secret=change.api_secret))
    return _described(controls, controls.members.named(name).account)


async def _set_reply(controls: Controls, request: Request) -> Any:
    controls.set_reply(request.path_params["name"], await request.body())
    return {"since_ms": controls.clock()}


async def _truth(controls: Controls, request: Request) -> Any:
    account, at_ms = request.query_params.get("account", "main"), _number(request, "at_ms", controls.clock())
    return {"account": account, "at_ms": at_ms, "rows": controls.truth(account, at_ms)}


async def _requests(controls: Controls, request: Request) -> Any:
    query = request.query_params
    served = controls.requests(account=query.get("account"), path=query.get("path"), since=_number(request, "since", 0))
    return [asdict(entry) for entry in served]


async def _faults(controls: Controls, _: Request) -> Any:
    return [asdict(fault) for fault in controls.faults.in_force]


async def _add_faults(controls: Controls, request: Request) -> Any:
    data = _decoded(await request.body(), object)
    controls.script(*[fault_from(each) for each in (data if isinstance(data, list) else [data])])
    return await _faults(controls, request)


async def _clear_faults(controls: Controls, _: Request) -> Any:
    controls.clear_faults()
    return []


async def _clock(controls: Controls, _: Request) -> Any:
    return {"now_ms": controls.clock(), "skew_ms": controls.skew_ms}


async def _set_clock(controls: Controls, request: Request) -> Any:
    controls.set_skew(_decoded(await request.body(), ClockChange).skew_ms)
    return await _clock(controls, request)


def _described(controls: Controls, account: Account) -> dict[str, Any]:
    member = controls.members.named(account.name)
    return {
        "name": account.name,
        "api_key": account.api_key,
        "api_secret": account.api_secret,
        "private_key_pem": account.private_key_pem,
        "key_state": member.key_state,
        "rights": member.rights,
    }


def _decoded(raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as mistake:
        raise UsageError(f"the body can't be used: {mistake}") from mistake


def _number(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name, str(usual))
    if not text.isdecimal():
        raise UsageError(f"{name} must be a whole number")
    return int(text)
