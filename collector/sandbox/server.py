"""Runs the sandbox: a Binance-compatible exchange on loopback, in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from collector.errors import UsageError
from collector.sandbox.accounts import Account, account_names, hmac_account
from collector.sandbox.app import ExchangeApp
from collector.sandbox.catalogue import coins
from collector.sandbox.delivery import SandboxProtocol
from collector.sandbox.exchange import Exchange
from collector.sandbox.faults import Fault
from collector.sandbox.holdings import Documents, Holdings, TradingPortfolio
from collector.sandbox.journal import Journal, Served
from collector.sandbox.limits import Limits, WeightMeter
from collector.sandbox.members import KeyState, Member, Members
from collector.sandbox.script import Script

HOST = "127.0.0.1"
_BACKLOG = 1_024


def wall_clock_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Sandbox:
    """An exchange that serves while its context is open.

    `accounts` is a number, or names and Accounts. Each holds `assets` assets and trades one of them every
    `trade_every_ms`, unless `reply` is given, a document that every account is served byte for byte. `clock` tells
    epoch milliseconds. With `trust_ip_header` a request's X-Sandbox-IP stands for its address. `journal` is how many
    requests are remembered.
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
        journal: int = 20_000,
    ) -> None:
        self.seed = seed
        self._clock = clock
        self._port = port
        names = account_names(accounts) if isinstance(accounts, int) else accounts
        given = [hmac_account(entry, seed=seed) if isinstance(entry, str) else entry for entry in names]

        def holdings(name: str) -> Holdings:
            if reply is not None:
                return Documents(reply)
            return TradingPortfolio(seed=seed, account=name, coins=coins(assets), trade_every_ms=trade_every_ms)

        self._members = Members(
            Member(account=account, holdings=holdings(account.name), verify=account.verifier()) for account in given
        )
        self._script = Script()
        self._journal = Journal(journal)
        self._app = ExchangeApp(
            exchange=Exchange(self._members, WeightMeter(limits or Limits()), seed=seed),
            members=self._members,
            script=self._script,
            journal=self._journal,
            clock=clock,
            trust_ip_header=trust_ip_header,
        )

    @property
    def base_url(self) -> str:
        """Where it listens, such as http://127.0.0.1:40123."""
        return f"http://{HOST}:{self._port}"

    @property
    def accounts(self) -> list[Account]:
        """The accounts with their present keys."""
        return self._members.accounts

    def describe(self) -> dict[str, Any]:
        """What a client needs to know: base_url, and name, api_key and api_secret of each account."""
        rows = [{"name": one.name, "api_key": one.api_key, "api_secret": one.api_secret} for one in self.accounts]
        return {"base_url": self.base_url, "accounts": rows}

    def script(self, *faults: Fault) -> None:
        """Puts faults in force; their requests and seconds count from now."""
        for fault in faults:
            self._script.add(fault, now_ms=self._clock())

    def clear_faults(self) -> None:
        """Ends every fault."""
        self._script.clear()

    def truth(self, account: str, at_ms: int) -> list[dict[str, str]]:
        """What `account` held at `at_ms` (the sandbox's clock), row by row as Binance would name it, valued."""
        return self._members.named(account).holdings.held(at_ms)

    def requests(self, *, account: str | None = None, path: str | None = None, since: int = 0) -> list[Served]:
        """What was asked and answered, by order of arrival; numbers above `since` only."""
        return self._journal.entries(account=account, path=path, since=since)

    def set_skew(self, skew_ms: int) -> None:
        """Sets the exchange's clock ahead of the sandbox's (or behind it, below zero)."""
        self._app.skew_ms = skew_ms

    def set_key_state(self, account: str, state: KeyState) -> None:
        """An `invalid` key is answered with -2015 until it is `valid` again."""
        self._members.set_key_state(account, state)

    def change_key(self, account: Account) -> None:
        """Gives the account of that name other credentials; the old key is unknown from now on."""
        self._members.change_key(account)

    def set_rights(self, account: str, rights: Mapping[str, bool]) -> None:
        """Grants and takes rights, under the names of apiRestrictions."""
        self._members.set_rights(account, rights)

    def __enter__(self) -> Self:
        """Starts to serve; requests are welcome when this returns."""
        listener = _listen(self._port)
        self._port = listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._server = uvicorn.Server(_uvicorn_config(Starlette(routes=[Mount("/", app=self._app)])))
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
        log_level="critical",
        access_log=False,
        server_header=False,
    )


def serve(
    *,
    port: int = 0,
    reply: bytes | None = None,
    accounts: int = 1,
    seed: int = 1,
    ready: Callable[[dict[str, Any]], None],
    stop: threading.Event | None = None,
) -> None:
    """Serves in the foreground until SIGINT, SIGTERM or `stop`; `ready` gets `Sandbox.describe()` once it listens."""
    ending = stop or threading.Event()
    with _ending_on_signals(ending), Sandbox(accounts, seed=seed, reply=reply, port=port) as exchange:
        ready(exchange.describe())
        ending.wait()


@contextlib.contextmanager
def _ending_on_signals(ending: threading.Event) -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    # Python allows handlers in the main thread only; elsewhere `stop` is the way.
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    former = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
