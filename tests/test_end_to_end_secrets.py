"""No secret in anything that is said: keys, secrets, signatures, passwords, at any log level and in any trouble."""

import sys
from dataclasses import replace
from pathlib import Path

from collector.sandbox.accounts import ed25519_account, hmac_account
from collector.sandbox.faults import Fault
from tests.daemons import PASSWORD, Crew, asked, crew, said_of, until
from tests.sandbox_client import USER_ASSET

TROUBLE = [
    Fault(kind="status", status=503, path=USER_ASSET, first=1, last=2),
    Fault(kind="reset", path=USER_ASSET, first=3, last=4),
    Fault(kind="half_body", path=USER_ASSET, first=5, last=6),
    Fault(kind="html", path=USER_ASSET, first=7, last=8),
    Fault(kind="redirect", location="/elsewhere", path=USER_ASSET, first=9, last=9),
    Fault(kind="error", code=-1100, account="wrong", path=USER_ASSET, last=1),
    Fault(kind="hang", seconds=30, path=USER_ASSET, first=12, last=12),
]


def test_no_process_says_a_secret_at_any_level(tmp_path: Path, database_url: str) -> None:
    """Logs are sent to strangers who help; a key in one of them is a key lost."""
    accounts = [hmac_account("main"), ed25519_account("modern"), hmac_account("wrong")]
    with crew(tmp_path, database_url, accounts) as together:
        main, modern, wrong = together.exchange.accounts
        together.configure([main, modern, replace(wrong, api_secret="y" * 64)])
        together.exchange.script(*TROUBLE)
        daemon = together.start()
        daemon.first_due_at()
        until("trouble", lambda: len(asked(together.exchange)) >= 9 and " failed (" in daemon.said())
        until("good times", lambda: " stored: " in daemon.said())
        assert daemon.stop()[0] == 0
        together.exchange.clear_faults()
        for level in ("debug", "info", "error"):
            together.call("--log-level", level, "once")
        for arguments in (("check",), ("config", "show"), ("latest", "--account", "main")):
            together.call(*arguments)
        together.call("--log-level", "debug", "run", "--database", f"postgresql://u:{PASSWORD}@127.0.0.1:9/none")
        assert said_of(together.secrets(), together.outputs()) == []
        assert sum(map(len, together.outputs().values())) > 3000
        each_kind_of_secret_would_be_found(together)


def each_kind_of_secret_would_be_found(together: Crew) -> None:
    """The control: a process that does say a secret is found, whichever secret it is."""
    main, modern, _ = together.exchange.accounts
    signatures = [asked(together.exchange, name)[-1].signature or "" for name in ("main", "modern")]
    pem = modern.private_key_pem.splitlines()[1]
    for secret in (main.api_key, main.api_secret, modern.api_key, pem, PASSWORD, *signatures):
        assert len(secret) > 10
        traitor = together.start(command=(sys.executable, "-c", f"print('and then ' + {secret!r} + ' was sent')"))
        assert traitor.ended() == 0
        assert said_of(together.secrets(), together.outputs())
        traitor.log.unlink()
