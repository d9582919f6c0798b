"""Runs the sandbox: a Binance-compatible exchange on loopback, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from collector.errors import UsageError
from collector.sandbox.accounts import Account, account_names, hmac_account
from collector.sandbox.app import ExchangeApp
from collector.sandbox.catalogue import coins
from collector.sandbox.control_api import control_routes
from collector.sandbox.controls import Controls
from collector.sandbox.delivery import SandboxProtocol
from collector.sandbox.exchange import Exchange
from collector.sandbox.holdings import Document, TradingPortfolio, Wallet
from collector.sandbox.limits import Limits, WeightMeter
from collector.sandbox.members import Member, Members

HOST = "127.0.0.1"
_BACKLOG = 1_024


def wall_clock_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Sandbox(Controls):
    """An exchange that serves while its context is open.

    `accounts` is a number, or names and Accounts. Each holds `assets` assets and trades one of them every
    `trade_every_ms`, unless `reply` is given, a document that every account is served byte for byte. `clock` tells
    epoch milliseconds. With `trust_ip_header` a request's X-Sandbox-IP stands for its address. `journal_size` is how
    many requests are remembered.
    """

    def __init__(
        self,
        accounts: int | Sequence[str | Account] = 1,
        *,
        seed: int = 1,
        reply: bytes | None = None,
        assets: int = 12,
        trade_every_ms: int = 1_000,
        limits: Limits | None = None,
        clock: Callable[[], int] = wall_clock_ms,
        port: int = 0,
        trust_ip_header: bool = False,
        journal_size: int = 20_000,
    ) -> None:
        names = account_names(accounts) if isinstance(accounts, int) else accounts
        members = [hmac_account(entry, seed=seed) if isinstance(entry, str) else entry for entry in names]

        def wallet(name: str) -> Wallet:
            if reply is not None:
                return Wallet(Document(reply))
            return Wallet(TradingPortfolio(f"{seed}/{name}", coins(assets), trade_every_ms=trade_every_ms))

        super().__init__(
            Members(Member(account=one, wallet=wallet(one.name), verify=one.verifier()) for one in members),
            clock=clock,
            journal_size=journal_size,
        )
        self._exchange = Exchange(self.members, WeightMeter(limits or Limits()), seed=seed)
        self._trust_ip_header = trust_ip_header
        self._port = port

    @property
    def base_url(self) -> str:
        """Where it listens, such as http://127.0.0.1:40123."""
        return f"http://{HOST}:{self._port}"

    def describe(self) -> dict[str, Any]:
        """What a client needs to know: base_url, and name, api_key and api_secret of each account."""
        rows = [{"name": one.name, "api_key": one.api_key, "api_secret": one.api_secret} for one in self.accounts]
        return {"base_url": self.base_url, "accounts": rows}

    def __enter__(self) -> Self:
        """Starts to serve; requests are welcome when this returns."""
        listener = _listen(self._port)
        self._port = listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._app = ExchangeApp(self._exchange, self, trust_ip_header=self._trust_ip_header)
        routes = [Mount("/sandbox", routes=control_routes(self)), Mount("/", app=self._app)]
        self._server = uvicorn.Server(_uvicorn_config(Starlette(routes=routes)))
        self._thread = threading.Thread(target=self._run, args=(listener,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends every connection and the thread."""
        self._server.should_exit = True
        self._loop.call_soon_threadsafe(self._app.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, listener: socket.socket) -> None:
        self._loop.run_until_complete(self._server.serve(sockets=[listener]))


def _listen(port: int) -> socket.socket:
    """A listener that names its protocol: asyncio sets TCP_NODELAY only then, without which a reply takes 40 ms."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"the sandbox can't listen on {HOST}:{port}: {error.strerror}; give another port, or 0 for a free one"
        ) from error
    listener.listen(_BACKLOG)
    return listener


def _uvicorn_config(app: Starlette) -> uvicorn.Config:
    """h11 alone, whatever else is installed; no log, because a request line would hold a signature."""
    return uvicorn.Config(
        app,
        http=SandboxProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
    )
