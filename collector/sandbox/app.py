"""The ASGI application: takes a request in, asks exchange and script, sends the answer and keeps a note."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from collector.sandbox.answers import Answer, RefusedError
from collector.sandbox.controls import Controls
from collector.sandbox.delivery import Wire, deliver
from collector.sandbox.exchange import Exchange, Request
from collector.sandbox.faults import DELIVERIES, Fault
from collector.sandbox.journal import Served
from collector.sandbox.parameters import read_parameters
from collector.sandbox.spoil import replacement, transformed

IP_HEADER = "x-sandbox-ip"
_UNANSWERED = ("reset", "hang")


class ExchangeApp:
    """Serves the exchange as the controls demand; with `trust_ip_header` a client may name its own address."""

    def __init__(self, exchange: Exchange, controls: Controls, *, trust_ip_header: bool) -> None:
        self._exchange = exchange
        self._controls = controls
        self._clock = controls.clock
        self._trust_ip_header = trust_ip_header
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends every pause, so that the server can end at once. To be called in the event loop."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        body = await _read(receive)
        if body is None:
            return
        request = self._request(scope, body)
        entry, faults = self._arrival(request)
        self._controls.journal.note(entry)
        answer = await self._answer(request, faults)
        delivery = next((fault for fault in faults if fault.kind in DELIVERIES), None)
        is_answered = delivery is None or delivery.kind not in _UNANSWERED
        entry = replace(entry, status=answer.status if is_answered else None, code=answer.code, held_ms=answer.held_ms)

        def finish(*, complete: bool) -> None:
            self._controls.journal.note(replace(entry, finished_ms=self._clock(), complete=complete))

        await deliver(answer, delivery, Wire(scope=scope, receive=receive, send=send, pause=self._pause, finish=finish))

    def _arrival(self, request: Request) -> tuple[Served, list[Fault]]:
        """The first note of a request, and the faults that it meets."""
        controls = self._controls
        member = controls.members.with_key(request.headers.get("x-mbx-apikey"))
        account = member.account.name if member else None
        faults = controls.faults.meeting(account, request.path, now_ms=request.now_ms)
        entry = Served(
            number=controls.journal.next_number(),
            account=account,
            client_ip=request.client_ip,
            method=request.method,
            path=request.path,
            arrived_ms=request.now_ms,
            signature=_signature(request),
            faults=tuple(fault.kind for fault in faults),
        )
        return entry, faults

    async def _answer(self, request: Request, faults: Sequence[Fault]) -> Answer:
        weight_header, refusal = self._exchange.weigh(request)
        await self._pause(sum(fault.seconds for fault in faults if fault.kind == "latency"))
        answer = replacement(faults, request.path) or refusal or self._exchange.answer(self._at(request, faults))
        return transformed(answer, faults).with_headers(weight_header)

    def _request(self, scope: Scope, body: bytes) -> Request:
        now_ms = self._clock()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        client_ip = scope["client"][0]
        return Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"],
            body=body,
            headers=headers,
            client_ip=headers.get(IP_HEADER, client_ip) if self._trust_ip_header else client_ip,
            now_ms=now_ms,
            server_ms=now_ms + self._controls.skew_ms,
        )

    def _at(self, request: Request, faults: Sequence[Fault]) -> Request:
        """The request as of now: after a latency the clock has moved on."""
        now_ms = self._clock()
        skew_ms = self._controls.skew_ms + sum(fault.skew_ms for fault in faults if fault.kind == "skew")
        return replace(request, now_ms=now_ms, server_ms=now_ms + skew_ms)

    async def _pause(self, seconds: float) -> None:
        """Waits, but not beyond the end of the server."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when the client went before it was complete."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        more = message["more_body"]
    return body


def _signature(request: Request) -> str | None:
    try:
        return read_parameters(request.query, request.body, is_form=True).signature
    except RefusedError:
        return None
