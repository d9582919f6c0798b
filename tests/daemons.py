"""Real daemons against the sandbox: started as processes, watched by what they say, ended whatever happens."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import quote, unquote

from sqlalchemy import make_url

from collector.sandbox.accounts import Account
from collector.sandbox.journal import Served
from collector.sandbox.server import Sandbox
from tests.processes import COMMAND, clean_environment
from tests.sandbox_client import USER_ASSET

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0
FIRST_TICK = "first tick at "
PASSWORD = "pw-that-nobody-may-see"
"""The database password of the tests' URLs; the tests' own server lets everyone in."""

T = TypeVar("T")


def until(what: str, seen: Callable[[], T | None], *, patience_s: float = PATIENCE_S) -> T:
    """What `seen` returns as soon as it is true; fails when that takes too long."""
    deadline = time.monotonic() + patience_s
    while True:
        found = seen()
        if found:
            return found
        assert time.monotonic() < deadline, f"no {what} within {patience_s:.0f} s"
        time.sleep(0.02)


@dataclass(slots=True, kw_only=True)
class Daemon:
    """One process; `log` is a file with everything that it says on stdout and stderr."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def said(self) -> str:
        """Its output so far."""
        return self.log.read_text()

    def says(self, words: str) -> None:
        """Wait until its output holds these words; fails at once when it ends without them."""

        def seen() -> bool:
            ended = self.process.poll() is not None
            found = words in self.said()
            assert found or not ended, f"ended with {self.process.returncode} without {words!r}:\n{self.said()}"
            return found

        until(f"{words!r} in the log", seen)

    def first_due_at(self) -> int:
        """The instant that it announces as its first tick, in epoch seconds."""
        self.says(FIRST_TICK)
        words = self.said().partition(FIRST_TICK)[2].partition(" UTC")[0]
        return int(datetime.strptime(words, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())

    def ended(self, *, patience_s: float = PATIENCE_S) -> int:
        """Wait for its end; returns its exit code."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {patience_s:.0f} s:\n{self.said()}") from None

    def kill(self) -> None:
        """End it with -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end; returns exit code and seconds."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.ended(), time.monotonic() - started


@dataclass(slots=True, kw_only=True)
class Crew:
    """All processes of one test: one configuration, one database, one folder of logs.

    Their coverage is measured only if the crew is `measured`: it takes half as long again, and kill -9 leaves none.
    At the end it kills what still runs, and looks for secrets in everything that was said.
    """

    folder: Path
    exchange: Sandbox
    url: str
    measured: bool = False
    daemons: list[Daemon] = field(default_factory=list)
    _environ: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.url = with_password(self.url)
        self.configure(self.exchange.accounts)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for daemon in self.daemons:
            daemon.kill()
        if kind is None:
            assert said_of(self.secrets(), self.outputs()) == []

    def configure(self, accounts: Iterable[Account], *, interval: str = "1s", log_level: str = "debug") -> None:
        """Write the configuration that the next process reads."""
        lines = [f'interval = "{interval}"', f'log_level = "{log_level}"', f'database = "{self.url}"']
        lines += [f'spool = "{self.folder / "spool"}"']
        lines += ["[binance]", f'base_url = "{self.exchange.base_url}"']
        for account in accounts:
            lines += [f"[accounts.{account.name}]", f'api_key = "{account.api_key}"']
            secret = account.api_secret or account.private_key_pem
            lines += [f'{"api_secret" if account.api_secret else "private_key"} = """{secret}"""']
        config = self.folder / "config.toml"
        config.touch(mode=0o600)
        config.write_text("\n".join([*lines, ""]))
        self._environ = {"COLLECTOR_CONFIG": str(config)}

    def start(self, *arguments: str, command: Sequence[str] = COMMAND, **environ: str) -> Daemon:
        """Start `collector ARGUMENTS` (`run` if there are none) and return at once."""
        log = self.folder / f"{len(self.daemons):03}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, *(arguments or ("run",))],
                env=self._clean_environment(**environ),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        daemon = Daemon(process=process, log=log)
        self.daemons.append(daemon)
        return daemon

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What `collector ARGUMENTS` prints, and its exit code."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self._clean_environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        kept = self.folder / f"{arguments[0]}-{time.monotonic_ns()}.out"
        kept.write_text(done.stdout + done.stderr)
        return done

    def _clean_environment(self, **environ: str) -> dict[str, str]:
        found = clean_environment(**self._environ, **environ)
        return {name: value for name, value in found.items() if self.measured or not name.startswith("COVERAGE_")}

    def migrate(self) -> None:
        """Make the tables, as PostgreSQL's owner has to."""
        done = self.call("db", "upgrade")
        assert done.returncode == 0, done.stderr

    def outputs(self) -> dict[str, str]:
        """Everything that any process said, by the name of its file."""
        files = [*self.folder.glob("*.log"), *self.folder.glob("*.out")]
        return {file.name: file.read_text() for file in files}

    def secrets(self) -> list[str]:
        """What none of them may say: keys, secrets, the signatures that the exchange received, the password."""
        accounts = self.exchange.accounts
        keys = [text for a in accounts for text in (a.api_key, a.api_secret, *a.private_key_pem.splitlines()[1:-1])]
        signatures = [entry.signature for entry in self.exchange.requests() if entry.signature]
        return [text for text in {*keys, *map(quote, signatures), *map(unquote, signatures), PASSWORD} if text]


def with_password(url: str) -> str:
    """The URL with a password in it, unless it is of a file or has one."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" or parsed.password:
        return url
    return parsed.set(password=PASSWORD).render_as_string(hide_password=False)


def said_of(secrets: Iterable[str], outputs: dict[str, str]) -> list[str]:
    """Which outputs hold a secret, and its first characters."""
    return [
        f"{name}: {secret[:6]}..." for secret in secrets for name, output in sorted(outputs.items()) if secret in output
    ]


def asked(exchange: Sandbox, account: str = "main") -> list[Served]:
    """The requests for balances that the exchange received for an account, by order of arrival."""
    return exchange.requests(account=account, path=USER_ASSET)


def now_s() -> int:
    """The present second."""
    return int(time.time())


def at_rest(daemon: Daemon, signs: Callable[[str], Sequence[str]], *, interval_s: int = 1) -> int:
    """The newest due instant, as soon as the log holds its signs and the next one is not near; nothing is under way.

    `signs` makes them of the instant as the log writes it.
    """

    def rested() -> int | None:
        now = time.time()
        due = int(now) // interval_s * interval_s
        quiet = 0.2 < now - due < interval_s - 0.3
        return due if quiet and all(sign in daemon.said() for sign in signs(_instant(due))) else None

    return until("moment of rest", rested)


def end_at_rest(
    daemon: Daemon, signs: Callable[[str], Sequence[str]], *, interval_s: int = 1, kill: bool = False
) -> int:
    """End it with SIGTERM or kill -9 while nothing is under way; returns the newest due instant that it collected.

    On a busy machine one more instant may come before it learns of SIGTERM; then its log has the signs of that one too.
    """

    def ended() -> int | None:
        due = at_rest(daemon, signs, interval_s=interval_s)
        if time.time() > due + interval_s - 0.25:
            return None
        daemon.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        return due

    last = until("a moment to end it", ended)
    assert daemon.ended(patience_s=5) == (-signal.SIGKILL if kill else 0), daemon.said()
    while all(sign in daemon.said() for sign in signs(_instant(last + interval_s))):
        last += interval_s
    return last


def _instant(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def crew(
    folder: Path,
    url: str,
    accounts: int | Sequence[str | Account] = 1,
    *,
    seed: int = 1,
    trade_every_ms: int = 1000,
    measured: bool = False,
) -> Iterator[Crew]:
    """A sandbox with these accounts, and what runs against it."""
    with (
        Sandbox(accounts, seed=seed, trade_every_ms=trade_every_ms) as exchange,
        Crew(folder=folder, exchange=exchange, url=url, measured=measured) as together,
    ):
        yield together
