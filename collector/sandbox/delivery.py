"""Sends an answer, well or badly: whole, by drips, half, or as a reset connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from collector.sandbox.answers import Answer
from collector.sandbox.faults import Fault

# Close without a farewell: the kernel sends RST instead of FIN (socket(7), SO_LINGER with a time of zero).
_LINGER_ZERO = struct.pack("ii", 1, 0)


class SandboxProtocol(H11Protocol):
    """uvicorn's HTTP protocol that hands its transport to the application: some faults are no HTTP any more."""

    def connection_made(self, transport: Any) -> None:
        """Puts the transport where the application finds it, in the scope's state."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Finish(Protocol):
    """What is told whether the whole answer leaves while the client still listens."""

    def __call__(self, *, complete: bool) -> None:
        """To be called once, just before the last byte leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The way to one client: ASGI's callables, a wait that ends with the server, and `finish`.

    `finish` is called just before the last byte leaves, so that a note of it is there when the client has its answer.
    """

    scope: Scope
    receive: Receive
    send: Send
    pause: Callable[[float], Awaitable[None]]
    finish: Finish

    @property
    def transport(self) -> asyncio.Transport:
        """The connection below HTTP."""
        transport: asyncio.Transport = self.scope["state"]["transport"]
        return transport

    async def hang_up(self) -> None:
        """Ends the connection and waits until uvicorn knows it, or it would answer on its own."""
        self.transport.close()
        await self.receive()  # once the body is read, the next event is the disconnect


async def deliver(answer: Answer, fault: Fault | None, wire: Wire) -> None:
    """Sends `answer`, spoilt as `fault` demands."""
    if fault is None:
        await _send(answer, wire)
        return
    match fault.kind:
        case "drip":
            await _drip(answer, fault, wire)
        case "hang":
            await wire.pause(fault.seconds)
            wire.finish(complete=False)
            await wire.hang_up()
        case "reset":
            wire.finish(complete=False)
            _reset(wire.transport)
            await wire.hang_up()
        case _:
            wire.finish(complete=False)
            wire.transport.write(_head(answer) + answer.body[: len(answer.body) // 2])
            if fault.kind == "reset_midway":
                _reset(wire.transport)
            await wire.hang_up()


async def _send(answer: Answer, wire: Wire) -> None:
    headers = [(name.encode(), value.encode()) for name, value in _headers(answer)]
    wire.finish(complete=not wire.transport.is_closing())
    await wire.send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await wire.send({"type": "http.response.body", "body": answer.body})


async def _drip(answer: Answer, fault: Fault, wire: Wire) -> None:
    """A byte at a time, from the first header on or in the body only; then the connection ends."""
    head = _head(answer)
    whole = head + answer.body
    at_once = head.index(b"\r\n") + 2 if fault.part == "headers" else min(len(head), len(whole) - 1)
    wire.transport.write(whole[:at_once])
    for place in range(at_once, len(whole)):
        await wire.pause(fault.every_ms / 1_000)
        if wire.transport.is_closing():
            break
        if place == len(whole) - 1:
            wire.finish(complete=True)
        wire.transport.write(whole[place : place + 1])
    await wire.hang_up()


def _reset(transport: asyncio.Transport) -> None:
    connection: socket.socket = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # the client may have gone first
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def _head(answer: Answer) -> bytes:
    reason = HTTPStatus(answer.status).phrase if answer.status in set(HTTPStatus) else "-"
    lines = [
        f"HTTP/1.1 {answer.status} {reason}",
        *(f"{name}: {value}" for name, value in _headers(answer)),
        "Connection: close",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def _headers(answer: Answer) -> list[tuple[str, str]]:
    return [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *answer.headers]
