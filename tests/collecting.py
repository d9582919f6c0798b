"""Collecting in this process: clocks that a test sets, the sandbox over real sockets, and a real database."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from collector.binance.client import BinanceClient, Credentials
from collector.binance.signing import HmacSigner
from collector.collect import Target
from collector.config.values import AccountSettings, BinanceSettings, Secret, Settings
from collector.daemon.clock import Reading
from collector.daemon.keeper import Keeper
from collector.daemon.pool import DelayedPool, Start
from collector.daemon.runner import AccountRunner, Shared
from collector.daemon.waits import Waits
from collector.domain.records import Account
from collector.domain.ticks import TickOutcome
from collector.sandbox.accounts import Account as SandboxAccount
from collector.sandbox.server import Sandbox
from collector.storage.record import Recorder
from collector.storage.spool import Spool
from tests.ledgers import T0, ask, instant, recorder, register

PATIENCE_S = 30.0

NO_SPOOL = Path("/nonexistent/spool")

T = TypeVar("T")


def until(seen: Callable[[], object]) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + PATIENCE_S
    while not seen():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


class Clocks:
    """Clocks that stand still until a test moves them."""

    def __init__(self, wall_ms: int = T0 * 1000) -> None:
        self.wall_ms = wall_ms
        self.awake_ms = self.all_ms = 1_000_000

    def __call__(self) -> Reading:
        """The clocks now."""
        return Reading(wall_ms=self.wall_ms, awake_ms=self.awake_ms, all_ms=self.all_ms)

    def now_ms(self) -> int:
        """The wall clock in epoch milliseconds."""
        return self.wall_ms

    def run(self, seconds: float) -> None:
        """Time passes."""
        self.sleep(seconds)
        self.awake_ms += round(seconds * 1000)

    def sleep(self, seconds: float) -> None:
        """The machine is suspended."""
        self.set(seconds)
        self.all_ms += round(seconds * 1000)

    def set(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.wall_ms += round(seconds * 1000)


def credentials(account: SandboxAccount) -> Credentials:
    """What the account signs with."""
    return Credentials(api_key=account.api_key, signer=HmacSigner(account.api_secret))


def client_of(exchange: Sandbox, clocks: Clocks, **options: Any) -> BinanceClient:
    """A client that lives by these clocks: when it pauses, they run on."""
    told: dict[str, Any] = {
        "base_url": exchange.base_url,
        "now_ms": clocks.now_ms,
        "monotonic": lambda: clocks.awake_ms / 1000,
        "sleep": clocks.run,
        "chance": lambda: 0.0,
        "max_attempts": 2,
    } | options
    return BinanceClient(**told)


@dataclass(kw_only=True)
class World:
    """One daemon's parts without its beat; `seen` holds every outcome in the order in which they were kept."""

    url: str
    clocks: Clocks
    exchange: Sandbox
    shared: Shared
    seen: list[TickOutcome]
    runners: list[AccountRunner] = field(default_factory=list)

    @property
    def pool(self) -> DelayedPool:
        """The threads that run the ticks."""
        return self.shared.pool

    def add(self, number: int = 0, *, paused: bool = False, offset_ms: int = 0) -> AccountRunner:
        """A runner for the exchange's account of this number, as the database knows that account."""
        key = self.exchange.accounts[number]
        account = register(self.shared.recorder, key.name)
        target = Target(account=account, credentials=credentials(key), paused=paused, offset_ms=offset_ms)
        self.runners.append(AccountRunner(target, self.shared))
        return self.runners[-1]

    def start(self, *starts: Start | None) -> None:
        """Hand over what runners have lined up, as the beat does."""
        self.pool.submit([start for start in starts if start is not None])

    def tick(self, *runners: AccountRunner, due_at: int | None = None, since: Reading | None = None) -> list[str]:
        """One tick of the minute's grid for each of these runners (or all), to its end; says what came of each."""
        now, before = self.clocks(), len(self.seen)
        due = now.wall_ms // 60_000 * 60 if due_at is None else due_at
        chosen = runners or tuple(self.runners)
        self.start(*(runner.due(due, 60, since or now) for runner in chosen))
        self.finish()
        return [words(outcome) for outcome in self.seen[before:]]

    def finish(self) -> None:
        """Wait until nothing is under way or lined up."""
        until(lambda: not any(runner._jobs for runner in self.runners))

    def caught_up(self) -> None:
        """Wait until nothing is kept aside any more."""
        until(lambda: not self.shared.keeper._aside)

    def account(self, runner: AccountRunner) -> Account:
        """The account as the database knows it now."""
        return register(self.shared.recorder, runner.target.account.name)

    def asked(self) -> int:
        """How many requests for balances have reached the exchange."""
        return len(self.exchange.requests(path="/sapi/v3/asset/getUserAsset"))

    def ledger(self) -> list[tuple[str, ...]]:
        """Each recorded tick or range: account, seconds since T0, outcome, reason; by account and instant."""
        return ledger(self.url)


def words(outcome: TickOutcome) -> str:
    """An outcome in a few words."""
    reason = "" if outcome.reason is None else f" ({outcome.reason})"
    return f"{outcome.account} {outcome.outcome}{reason}"


def ledger(url: str) -> list[tuple[str, ...]]:
    """What the database says: account, seconds since T0 (a range as first..last), outcome, reason."""
    start = instant(url, T0)
    since = "{0} - " + start if url.startswith("sqlite") else "CAST(extract(epoch FROM {0} - " + start + ") AS integer)"
    ticks = (
        f"SELECT a.name, t.due_at, CAST({since.format('t.due_at')} AS TEXT), t.outcome, t.reason "
        "FROM tick t JOIN account a ON a.id = t.account_id"
    )
    ranges = (
        f"SELECT a.name, m.start_at, CAST({since.format('m.start_at')} AS TEXT) || '..' || "
        f"CAST({since.format('m.last_due_at')} AS TEXT), 'missed', m.reason "
        "FROM missed m JOIN account a ON a.id = m.account_id"
    )
    rows = ask(url, f"SELECT * FROM ({ticks} UNION ALL {ranges}) AS both_tables ORDER BY 1, 2")
    return [(name, f"+{at}", outcome, *([reason] if reason else [])) for name, _, at, outcome, reason in rows]


@contextmanager
def world(url: str, *, accounts: int | Sequence[str] = 1, workers: int = 4, **client: Any) -> Iterator[World]:
    """The parts of a daemon on this database, at T0, for a sandbox with as many accounts."""
    clocks, seen = Clocks(), list[TickOutcome]()
    with ExitStack() as stack:
        exchange = stack.enter_context(Sandbox(accounts, clock=clocks.now_ms))
        writer = stack.enter_context(recorder(url))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        spool = Spool(folder / "spool", database="this", max_bytes=10**8, min_free_bytes=0)
        stack.callback(spool.close)
        keeper = Keeper(writer, spool, now_ms=clocks.now_ms)
        stack.callback(keeper.stop, 1.0)
        keeper.start()
        opened = stack.enter_context(client_of(exchange, clocks, **client))
        pool = DelayedPool(workers)
        pool.start()
        stack.callback(_end, pool, opened)
        shared = Shared(
            client=opened,
            recorder=writer,
            keeper=keeper,
            pool=pool,
            waits=waits(writer, clocks),
            clocks=clocks,
            observe=seen.append,
        )
        yield World(url=url, clocks=clocks, exchange=exchange, shared=shared, seen=seen)


def waits(writer: Recorder, clocks: Clocks) -> Waits:
    """The waits that the database holds now."""
    found = Waits(writer)
    found.load(clocks.wall_ms)
    return found


def _end(pool: DelayedPool, client: BinanceClient) -> None:
    pool.stop()
    client.abort()
    assert pool.wait(PATIENCE_S)


def settings_of(url: str, *accounts: AccountSettings, base_url: str = "http://127.0.0.1:1", **more: Any) -> Settings:
    """A configuration of these accounts at one minute."""
    binance = BinanceSettings(base_url=base_url)
    told: dict[str, Any] = {"interval_s": 60, "workers": 4, "binance": binance, "spool": NO_SPOOL, "tz": "UTC"} | more
    return Settings(database=url, database_shown="***", log_level="info", accounts=accounts, **told)


def configured(account: SandboxAccount, **more: Any) -> AccountSettings:
    """The account as a configuration names it."""
    secret = Secret(account.private_key_pem or account.api_secret)
    kind = "private_key" if account.private_key_pem else "api_secret"
    told: dict[str, Any] = {"name": account.name, kind: secret} | more
    return AccountSettings(api_key=Secret(account.api_key), **told)


def write_config(path: Path, exchange: Sandbox, *names: str, interval: str = "60s", more: str = "") -> Path:
    """A configuration file for these accounts of the exchange (or all), readable by its owner alone."""
    chosen = [account for account in exchange.accounts if not names or account.name in names]
    tables = [
        f'[accounts."{account.name}"]\napi_key = "{account.api_key}"\napi_secret = "{account.api_secret}"\n'
        for account in chosen
    ]
    head = f'interval = "{interval}"\n{more}\n[binance]\nbase_url = "{exchange.base_url}"\n'
    path.touch(mode=0o600)
    path.write_text(head + "\n".join(tables))
    return path


class Manager:
    """A service manager on a socket of its own; what it hears from the daemon in this process makes it act."""

    def __init__(self, address: Path) -> None:
        self.address = str(address)
        self.heard: list[str] = []
        self.over = threading.Event()
        self._failure: BaseException | None = None

    def during(self, work: Callable[[], T], *, then: Callable[[], object], at: Callable[[], object] | None = None) -> T:
        """Do the work in this thread; when the daemon is ready (or at this moment) act, and end it with SIGTERM."""
        self.heard.clear()
        self.over.clear()
        Path(self.address).unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.settimeout(0.05)
        actor = threading.Thread(target=self._act, args=(at or (lambda: "READY=1" in self.heard), then))
        actor.start()
        try:
            return work()
        finally:
            self.over.set()
            actor.join(PATIENCE_S)
            self._socket.close()
            if self._failure is not None:
                raise self._failure

    def _act(self, moment: Callable[[], object], then: Callable[[], object]) -> None:
        while not self.over.is_set() and not moment():
            self._listen()
        if self.over.is_set():
            return
        try:
            then()
        except BaseException as failure:  # noqa: BLE001 - told where the test sees it
            self._failure = failure
        os.kill(os.getpid(), signal.SIGTERM)
        while not self.over.is_set():
            self._listen()
        self._listen()

    def _listen(self) -> None:
        with suppress(TimeoutError):
            self.heard.append(self._socket.recv(100).decode())


@contextmanager
def untouched_process() -> Iterator[None]:
    """Signal handlers and logging are as before at the end: commands that run here change them."""
    root, ours = logging.getLogger(), logging.getLogger("collector")
    before = root.handlers[:], root.level, ours.level
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        root.handlers[:], root.level = before[0], before[1]
        ours.setLevel(before[2])
        for number, handler in handlers.items():
            signal.signal(number, handler)
