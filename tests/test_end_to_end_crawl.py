"""No secret in anything that is written or said: logs of every level, reports, crashes, database, spool and lock."""

import logging
import os
import signal
import socket
import sqlite3
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from collector.binance.client import BinanceClient, Credentials, wall_clock_ms
from collector.binance.signing import HmacSigner, load_private_key
from collector.errors import ExchangeError
from collector.sandbox.accounts import Account, ed25519_account, hmac_account, rsa_account
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from collector.storage.schema import metadata
from tests.daemons import PASSWORD, Crew, asked, crew, until
from tests.error_table import TABLE, USER_ASSET
from tests.ledgers import ask
from tests.processes import collector
from tests.raw_server import RawServer, read_head, response
from tests.secret_crawl import Crawl, signatures_in

PASSPHRASE = "correct horse battery"
WRONG = "WrongSecretWrongSecretWrongSecretWrongSecretWrongSecretWrongSecr"
CONFIGURATION = ("conf", "config.toml")
"""What has to hold secrets, and is not crawled."""

TROUBLE = [
    Fault(kind="status", status=503, path=USER_ASSET, first=3, last=4),
    Fault(kind="reset", path=USER_ASSET, first=5, last=6),
    Fault(kind="reset_midway", path=USER_ASSET, first=7, last=8),
    Fault(kind="half_body", path=USER_ASSET, first=9, last=10),
    Fault(kind="truncated", path=USER_ASSET, first=11, last=12),
    Fault(kind="html", path=USER_ASSET, first=13, last=14),
    Fault(kind="redirect", location="/elsewhere", path=USER_ASSET, first=15, last=16),
    Fault(kind="skew", skew_ms=-8000, path=USER_ASSET, first=17, last=18),
    Fault(kind="error_in_200", code=-1000, path=USER_ASSET, first=19, last=20),
    Fault(kind="error", code=-9999, path=USER_ASSET, first=21, last=22),
    Fault(kind="error", code=-2015, path=USER_ASSET, first=23, last=24),
    Fault(kind="drip", every_ms=500, part="headers", path=USER_ASSET, first=25, last=26),
    Fault(kind="hang", seconds=30, path=USER_ASSET, first=27, last=28),
    Fault(kind="html", status=404, path=USER_ASSET, first=29, last=30),
]
BAN = Fault(kind="error", code=-1003, status=418, retry_after="600", path=USER_ASSET)

REPORTS = (
    *(("check",), ("config", "show"), ("config", "show", "--json"), ("status",), ("status", "--json")),
    *(("latest", "--account", "main", "--json"), ("history", "BTC", "--account", "main", "--csv"), ("gaps", "--json")),
    *(("db", "stats"), ("db", "verify"), ("latest", "--account", "nobody"), ("--config", "/nonexistent", "run")),
)

BUG = """
import sys
import collector.{module} as module
def bug(*_, **__):
    raise ZeroDivisionError("a planted bug")
module.{name} = bug
from collector.cli.main import main
sys.argv = ["collector", "--log-level", "debug", "run"]
main()
"""


@dataclass(kw_only=True)
class Stage:
    """Accounts of all kinds with everything secret about them, and what runs with them."""

    together: Crew
    pems: list[str]
    texts: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)

    def crawl(self) -> list[str]:
        """What is found in all that was written so far."""
        served = [entry.signature for entry in self.together.exchange.requests() if entry.signature]
        signatures = signatures_in(self.heads) | set(served)
        assert len(signatures) > 20
        found = Crawl(self.texts, self.pems, signatures)
        return found.findings(self.together.folder, leave_out=CONFIGURATION)


@contextmanager
def staged(folder: Path, url: str) -> Iterator[Stage]:
    """An HMAC key, an RSA key, an encrypted Ed25519 key made by `keygen`, and a secret that is wrong."""
    conf = folder / "conf"
    conf.mkdir()
    (conf / "words").write_text(f"{PASSPHRASE}\n")
    made = collector("keygen", "--out", str(conf / "modern.pem"), "--passphrase-file", str(conf / "words"))
    (folder / "keygen.out").write_text(made.stdout + made.stderr)
    modern = ed25519_account("modern", public_key_pem=made.stdout)
    accounts = [hmac_account("main"), modern, rsa_account("classic"), hmac_account("wrong")]
    with crew(folder, url, accounts) as together:
        main, modern, classic, wrong = together.exchange.accounts
        stage = Stage(
            together=together,
            pems=[(conf / "modern.pem").read_text(), classic.private_key_pem],
            texts=[
                *(account.api_key for account in (main, modern, classic, wrong)),
                *(main.api_secret, wrong.api_secret, WRONG, PASSPHRASE, PASSWORD),
            ],
        )
        configure(stage, conf, [main, modern, classic, wrong])
        yield stage


def configure(stage: Stage, conf: Path, accounts: list[Account]) -> None:
    """Secrets come from the file, from files of their own, and from variables."""
    main, modern, classic, wrong = accounts
    (conf / "modern.key").write_text(modern.api_key)
    lines = [
        f'interval = "1s"\ndatabase = "{stage.together.url}"\nspool = "{stage.together.folder / "spool"}"',
        f'prices = ["USDT"]\n[binance]\nbase_url = "{stage.together.exchange.base_url}"',
        f'[accounts.main]\napi_key = "{main.api_key}"\napi_secret = "{main.api_secret}"',
        '[accounts.modern]\napi_key_file = "modern.key"\nprivate_key_file = "modern.pem"\npassphrase_file = "words"',
        f'[accounts.classic]\napi_key = "{classic.api_key}"',
        f'[accounts.wrong]\napi_key = "{wrong.api_key}"\napi_secret = "{WRONG}"\n',
    ]
    (conf / "config.toml").write_text("\n".join(lines))
    for file in conf.iterdir():
        file.chmod(0o600)
    stage.together._environ = {
        "COLLECTOR_CONFIG": str(conf / "config.toml"),
        "COLLECTOR_ACCOUNTS__CLASSIC__PRIVATE_KEY": classic.private_key_pem.replace("\n", "\\n"),
    }


def test_no_secret_is_written_or_said_whatever_happens(tmp_path: Path, database_url: str) -> None:
    """Logs, reports and databases are sent to strangers who help; a key in one of them is a key lost.

    What has nothing to do with the database happens once, with SQLite.
    """
    with staged(tmp_path, database_url) as stage:
        together = stage.together
        a_bad_day(together)
        a_database_that_is_away(together)
        if database_url.startswith("sqlite"):
            each_level(together)
            bugs(together)
            a_mirror(stage)
        for arguments in REPORTS:
            together.call(*arguments)
        dump(together)
        assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) > 100_000
        assert stage.crawl() == []
        each_secret_would_be_found(stage)


def a_bad_day(together: Crew) -> None:
    """One daemon meets failures of every kind, a ban last."""
    together.exchange.script(*TROUBLE)
    daemon = together.start("--log-level", "debug", "run")
    daemon.first_due_at()
    until("all of the trouble", lambda: len(asked_by_all(together)) > 34)
    until("good times", lambda: " stored: " in daemon.said())
    together.exchange.clear_faults()
    together.exchange.script(BAN)
    until("a ban", lambda: "no requests until" in daemon.said())
    assert daemon.stop()[0] == 0
    together.exchange.clear_faults()
    ask(together.url, "DELETE FROM wait")
    reasons = {row[0] for row in ask(together.url, "SELECT DISTINCT reason FROM tick WHERE reason IS NOT NULL")}
    assert {"banned", "bad_signature"} < reasons, reasons


def asked_by_all(together: Crew) -> list[object]:
    """The requests for balances that the exchange received."""
    return [entry for account in together.exchange.accounts for entry in asked(together.exchange, account.name)]


def each_level(together: Crew) -> None:
    """Daemons that log at each level meet a few failures."""
    for level in ("debug", "info", "warning", "error"):
        before = len(asked_by_all(together))
        together.exchange.script(
            Fault(kind="reset", path=USER_ASSET, last=3), Fault(kind="html", path=USER_ASSET, first=4, last=6)
        )
        daemon = together.start("--log-level", level, "run")
        wait_for_requests(together, before + 8)
        assert daemon.stop()[0] == 0
        together.call("--log-level", level, "once")
        together.exchange.clear_faults()


def wait_for_requests(together: Crew, number: int) -> None:
    """Until the exchange has received more than so many."""
    until("requests", lambda: len(asked_by_all(together)) > number)


def bugs(together: Crew) -> None:
    """Tracebacks of a tick, of the whole program, and of every thread at an abort."""
    for module, name in (
        ("binance.client", "parse_user_assets"),
        ("binance.transport", "_limited_body"),
        ("binance.signing", "signed_query"),
        ("daemon.service.Daemon", "_supervise"),
    ):
        code = BUG.format(module=module, name=name).replace("import collector.daemon.service.Daemon as module", SERVICE)
        daemon = together.start(command=(sys.executable, "-c", code))
        daemon.says("ZeroDivisionError: a planted bug")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.ended()
    aborted = together.start(PYTHONFAULTHANDLER="1")
    aborted.first_due_at()
    os.kill(aborted.pid, signal.SIGABRT)
    aborted.ended()
    assert "Fatal Python error" in aborted.said()


SERVICE = "from collector.daemon.service import Daemon as module"


def a_database_that_is_away(together: Crew) -> None:
    """What arrives meanwhile is spooled, and the file stays: the daemon is killed."""
    daemon = together.start("--log-level", "debug", "run")
    daemon.first_due_at()
    until("a snapshot", lambda: " stored: " in daemon.said())
    with held(together.url):
        spooled = len(asked_by_all(together))
        until("replies", lambda: len(asked_by_all(together)) > spooled + 3)
        time.sleep(1)
        daemon.kill()
    nowhere = f"postgresql://u:{PASSWORD}@127.0.0.1:9/none"
    for command in ("run", "latest", "check"):
        together.call("--log-level", "debug", command, "--database", nowhere)


@contextmanager
def held(url: str) -> Iterator[None]:
    """Nobody can write to the database."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
        return
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as server:
        server.execute("LOCK TABLE tick IN ACCESS EXCLUSIVE MODE")
        yield


def a_mirror(stage: Stage) -> None:
    """A server that says back whatever it is told, as a proxy's page of an error does."""

    def mirror(connection: socket.socket) -> None:
        while head := read_head(connection):
            stage.heads.append(head)
            told = head.replace("\r\n", " ").replace('"', "'")
            page = f"<html><body>{told}</body></html>".encode()
            error = f'{{"code":-1022,"msg":"{told}"}}'.encode()
            status = ("400 Bad Request", "502 Bad Gateway", "200 OK")[len(stage.heads) % 3]
            connection.sendall(response(page if len(stage.heads) % 2 else error, f"X-Echo: {told}", status=status))

    with RawServer(mirror) as server:
        address = {"COLLECTOR_BINANCE__BASE_URL": server.base_url}
        daemon = stage.together.start("--log-level", "debug", "run", **address)
        daemon.first_due_at()
        until("echoes", lambda: len(signatures_in(stage.heads)) >= 3)
        until("failures", lambda: " failed (" in daemon.said())
        assert daemon.stop()[0] == 0
        for command in ("once", "check"):
            assert stage.together.start("--log-level", "debug", command, **address).ended() in {5, 75}


def dump(together: Crew) -> None:
    """Every row of every table, where the files are not at hand."""
    rows = [
        f"{table.name}: {row!r}"
        for table in metadata.sorted_tables
        for row in ask(together.url, f"SELECT * FROM {table.name}")
    ]
    assert len(rows) > 100
    (together.folder / "tables.out").write_text("\n".join(rows))


def each_secret_would_be_found(stage: Stage) -> None:
    """The control: whatever is planted in a log, in the database or in its log of changes is found."""
    folder, url = stage.together.folder, stage.together.url
    served = stage.together.exchange.requests(account="modern", path=USER_ASSET)[-1].signature or ""
    planted = [*stage.texts, served, stage.pems[0].splitlines()[1][10:34]]
    traitor = stage.together.start(command=(sys.executable, "-c", f"print({planted!r})"))
    assert traitor.ended() == 0
    found = [said for said in stage.crawl() if said.startswith(traitor.log.name)]
    for secret in planted[:-1]:
        assert any(f" {secret[:6]}..." in said for said in found), secret
    assert any("a passage of" in said and stage.pems[0].splitlines()[1][:6] in said for said in found)
    traitor.log.unlink()
    if url.startswith("sqlite"):
        ask(url, f"UPDATE tick SET detail = 'and then {stage.texts[0]} was sent' WHERE detail IS NOT NULL")
        database = Path(make_url(url).database or "").name
        assert [said for said in stage.crawl() if said.startswith(database)]
        assert folder / database in folder.iterdir()


def test_no_exception_and_no_librarys_log_holds_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at its most talkative, and all that an exception carries with it."""
    caplog.set_level(logging.NOTSET)
    told: list[str] = []
    accounts = [hmac_account("main"), ed25519_account("modern"), rsa_account("classic")]
    rows = [row.faults for row in TABLE if not (row.brief or row.impatient or row.address)]
    rows += [({"kind": "drip", "part": part, "every_ms": 200},) for part in ("headers", "body")]
    rows += [({"kind": "hang", "seconds": 5.0},)]
    with Sandbox(accounts) as exchange, BinanceClient(exchange.base_url, max_attempts=2, sleep=_no_sleep) as client:
        for account in accounts:
            for faults in rows:
                exchange.script(*(Fault(**{"path": USER_ASSET, **fault}) for fault in faults))
                told.append(failure_of(client, account))
                exchange.clear_faults()
                client._gate._budget._closed_until_ms = 0.0  # a ban that is over
            told.append(repr(credentials(account)))
        signatures = [entry.signature for entry in exchange.requests() if entry.signature]
    assert len(signatures) > 100
    logs = [logging.Formatter("%(name)s %(message)s").format(record) for record in caplog.records]
    assert any("urllib3" in line and "signature=***" in line for line in logs)
    (tmp_path / "all").write_text("\n".join([*told, *logs]))
    keys = [text for account in accounts for text in (account.api_key, account.api_secret)]
    found = Crawl(keys, [account.private_key_pem for account in accounts], signatures)
    assert found.findings(tmp_path) == []


def _no_sleep(_: float) -> None:
    """Nobody has to wait."""


def credentials(account: Account) -> Credentials:
    """What the account signs with."""
    pem = account.private_key_pem
    signer = load_private_key(pem.encode(), None) if pem else HmacSigner(account.api_secret)
    return Credentials(api_key=account.api_key, signer=signer)


def failure_of(client: BinanceClient, account: Account) -> str:
    """All that can be printed of the failure of one request."""
    try:
        client.fetch_user_assets(credentials(account), deadline_ms=wall_clock_ms() + 1_000)
    except ExchangeError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
        return "".join([*lines, repr(error), str(vars(error)), repr(error.__context__), repr(error.__cause__)])
    return "nothing failed"


@pytest.mark.parametrize("leak", ["QUFB", "planted", "%2B"])
def test_a_control_that_is_not_found_fails_the_crawl(
    tmp_path: Path, leak: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crawl that looks into the wrong place would be green for ever."""
    found = Crawl(["A" * 30 + "+/==" + leak])
    assert found.findings(tmp_path) == []
    monkeypatch.setattr("tests.secret_crawl._files", lambda *_: [])
    with pytest.raises((AssertionError, StopIteration)):
        found.findings(tmp_path)


def test_every_form_and_every_passage_is_found(tmp_path: Path) -> None:
    """Secrets travel percent-encoded and in base64, and a log may cut one off."""
    secret = "abcdefghijklmnopqrstuvwxyz+/0123456789ABCDEF=="
    found = Crawl(
        [secret], ["-----BEGIN X-----\n" + "MC4CAQAwBQYDK2VwBCIEIGabcdefghijklmnopqrstuvwxyz" + "\n-----END X-----"]
    )
    lines = {
        "plain": f"GET /?signature={secret}",
        "percent": "signature=abcdefghijklmnopqrstuvwxyz%2B%2F0123456789ABCDEF%3D%3D",
        "part": "signature=%2B%2F0123456789ABCDEF, ijklmnopqrstuvwxyz+/0123... and so on",
        "base64": "user:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXorLzAxMjM0NTY3ODlBQkNERUY9PQ==",
        "pem": "key VwBCIEIGabcdefghijklmnopqr and more",
    }
    for name, line in lines.items():
        (tmp_path / name).write_text(line)
    (tmp_path / "innocent").write_text("signature=*** abcdefghijklmnopqrstuvw -----BEGIN X-----")
    (tmp_path / "left out").write_text(secret)
    assert {said.partition(":")[0] for said in found.findings(tmp_path, leave_out=["left out"])} == set(lines)
