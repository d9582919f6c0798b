"""Requests that travel unencrypted: only where they were allowed in so many words, and said each time."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import Daemon
from tests.ledgers import T0, recorder, register
from tests.processes import COMMAND, clean_environment, collector
from tests.raw_server import RawServer, answering, response

ELSEWHERE = "http://exchange.example:9"
NAMED = f"binance.allow_plain_http is on: keys and balances travel unencrypted to {ELSEWHERE}"
KEYS = {"BINANCE_API_KEY": "k" * 64, "BINANCE_API_SECRET": "s" * 64, "COLLECTOR_BINANCE__BASE_URL": ELSEWHERE}
ALLOWED = {**KEYS, "COLLECTOR_BINANCE__ALLOW_PLAIN_HTTP": "true"}


@pytest.fixture
def nowhere() -> Iterator[dict[str, str]]:
    """A proxy that answers 404 to everything, so that nothing leaves this machine and nobody has to wait."""
    with RawServer(answering(response(status="404 Not Found"))) as proxy:
        yield {"HTTP_PROXY": proxy.base_url, "http_proxy": proxy.base_url, "NO_PROXY": "", "no_proxy": ""}


@pytest.fixture
def url(tmp_path: Path, sqlite_template: Path) -> str:
    """A database that knows one account."""
    (tmp_path / "c.db").write_bytes(sqlite_template.read_bytes())
    with recorder(f"sqlite:///{tmp_path}/c.db") as writer:
        register(writer, now_s=T0)
    return f"{tmp_path}/c.db"


@pytest.mark.parametrize("command", ["check", "run", "once", "status", "latest"])
def test_without_permission_no_command_begins(url: str, command: str) -> None:
    """A slip in the URL must not send a key through the net for all to read."""
    done = collector(command, env={**KEYS, "COLLECTOR_DATABASE": url})
    assert done.returncode == 4
    assert done.stderr.startswith("collector: COLLECTOR_BINANCE__BASE_URL must begin with https://")


@pytest.mark.parametrize("command", ["check", "status", "once"])
def test_with_permission_it_is_named_each_time(url: str, nowhere: dict[str, str], command: str) -> None:
    """Whoever allowed it has left, perhaps; whoever looks has to know."""
    for _ in range(2):
        done = collector(command, env={**ALLOWED, **nowhere, "COLLECTOR_DATABASE": url})
        assert NAMED in (done.stdout if command == "check" else done.stderr)


@pytest.mark.parametrize("level", ["info", "error"])
def test_the_log_of_the_daemon_names_it_at_each_start(
    url: str, nowhere: dict[str, str], tmp_path: Path, level: str
) -> None:
    """Even where only errors are logged."""
    for start in range(2):
        log = tmp_path / f"{start}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*COMMAND, "--log-level", level, "run"],
                env=clean_environment(**ALLOWED, **nowhere, COLLECTOR_DATABASE=url),
                stderr=output,
            )
        daemon = Daemon(process=process, log=log)
        try:
            daemon.says(NAMED)
        finally:
            daemon.kill()


@pytest.mark.parametrize("base_url", ["https://exchange.example", "http://127.0.0.1:9", "http://localhost:9"])
def test_what_is_encrypted_or_stays_on_this_machine_is_not_named(url: str, base_url: str) -> None:
    """A warning that is always there is read by nobody."""
    done = collector(
        "status",
        env={
            **KEYS,
            "COLLECTOR_BINANCE__BASE_URL": base_url,
            "COLLECTOR_DATABASE": url,
            "COLLECTOR_BINANCE__ALLOW_PLAIN_HTTP": "true",
        },
    )
    assert "unencrypted" not in done.stderr + done.stdout
