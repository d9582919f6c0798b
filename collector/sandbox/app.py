"""The ASGI application: takes a request in, asks exchange and script, sends the answer and keeps a note."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from collector.sandbox.answers import Answer, RefusedError
from collector.sandbox.delivery import Wire, deliver
from collector.sandbox.exchange import Exchange, Request
from collector.sandbox.faults import DELIVERIES, Fault
from collector.sandbox.journal import Journal, Served
from collector.sandbox.members import Members
from collector.sandbox.parameters import read_parameters
from collector.sandbox.script import Script
from collector.sandbox.spoil import replacement, transformed

IP_HEADER = "x-sandbox-ip"
_UNANSWERED = ("reset", "hang")


class ExchangeApp:
    """Serves the exchange; `clock` tells epoch milliseconds, `skew_ms` how far the exchange is ahead of it."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        members: Members,
        script: Script,
        journal: Journal,
        clock: Callable[[], int],
        trust_ip_header: bool,
    ) -> None:
        self._exchange = exchange
        self._members = members
        self._script = script
        self._journal = journal
        self._clock = clock
        self._trust_ip_header = trust_ip_header
        self._stopping = asyncio.Event()
        self.skew_ms = 0

    def stop(self) -> None:
        """Ends every pause, so that the server can end at once. To be called in the event loop."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        body = await _read(receive)
        request = self._request(scope, body, self._clock())
        member = self._members.with_key(request.headers.get("x-mbx-apikey"))
        faults = self._script.meeting(member.account.name if member else None, request.path, now_ms=request.now_ms)
        entry = Served(
            number=self._journal.next_number(),
            account=member.account.name if member else None,
            client_ip=request.client_ip,
            method=request.method,
            path=request.path,
            arrived_ms=request.now_ms,
            signature=_signature(request),
            faults=tuple(fault.kind for fault in faults),
        )
        self._journal.note(entry)
        answer = await self._answer(request, faults)
        delivery = next((fault for fault in faults if fault.kind in DELIVERIES), None)

        def finish(*, complete: bool) -> None:
            status = None if delivery and delivery.kind in _UNANSWERED else answer.status
            self._journal.note(
                replace(
                    entry,
                    finished_ms=self._clock(),
                    status=status,
                    code=answer.code,
                    complete=complete,
                    held_ms=answer.held_ms,
                )
            )

        await deliver(answer, delivery, Wire(scope=scope, receive=receive, send=send, pause=self._pause, finish=finish))

    async def _answer(self, request: Request, faults: Sequence[Fault]) -> Answer:
        weight_header, refusal = self._exchange.weigh(request)
        await self._pause(sum(fault.seconds for fault in faults if fault.kind == "latency"))
        answer = replacement(faults, request.path) or refusal or self._exchange.answer(self._at(request, faults))
        return transformed(answer, faults).with_headers(weight_header)

    def _request(self, scope: Scope, body: bytes, now_ms: int) -> Request:
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
            server_ms=now_ms + self.skew_ms,
        )

    def _at(self, request: Request, faults: Sequence[Fault]) -> Request:
        """The request as of now: after a latency the clock has moved on."""
        now_ms = self._clock()
        skew_ms = self.skew_ms + sum(fault.skew_ms for fault in faults if fault.kind == "skew")
        return replace(request, now_ms=now_ms, server_ms=now_ms + skew_ms)

    async def _pause(self, seconds: float) -> None:
        """Waits, but not beyond the end of the server."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)


async def _read(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _signature(request: Request) -> str | None:
    try:
        return read_parameters(request.query, request.body, is_form=True).signature
    except RefusedError:
        return None
