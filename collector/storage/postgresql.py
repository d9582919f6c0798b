"""How a connection to PostgreSQL is asked for: which of several hosts, and how long anything may take."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import URL

CONNECT_TIMEOUT_S = 10
# A server that vanished without a word shows within half a minute, when idle as when written to.
SILENCE = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
LEAST_CONNECT_TIMEOUT_S = 2
STATEMENT_MS = 4_000
ABANDONED_MS = 60_000


def connect_arguments(url: URL, role: str, patience_s: float | None) -> dict[str, Any]:
    """Parameters of libpq; what the URL says is stronger, and its `options` are kept.

    With `patience_s` no lock is waited for longer than that, and nothing else takes longer than a few seconds.
    """
    ours = {"connect_timeout": str(CONNECT_TIMEOUT_S), "application_name": f"collector {role}", **SILENCE}
    if patience_s is not None:
        ours["connect_timeout"] = str(max(LEAST_CONNECT_TIMEOUT_S, math.ceil(patience_s)))
        ours["tcp_user_timeout"] = f"{STATEMENT_MS}"
    if len(hosts(url)) > 1 and role != "reader":
        ours["target_session_attrs"] = "read-write"
    chosen: dict[str, Any] = {name: value for name, value in ours.items() if name not in url.query}
    settings = " ".join(f"-c {name}={value}" for name, value in _settings(role, patience_s).items())
    said = str(url.query.get("options", ""))
    # The last one wins: nobody lifts a reader's restriction, while time-outs are only our defaults.
    options = f"{said} {settings}" if role == "reader" else f"{settings} {said}"
    return {**chosen, "options": options.strip()} if settings else chosen


def hosts(url: URL) -> list[str]:
    """Each host with its port, as the URL names them: before the slash, or as host=A:5432&host=B:5432."""
    said = url.query.get("host", ())
    several = [said] if isinstance(said, str) else list(said)
    if several:
        return [host for entry in several for host in entry.split(",")]
    return [f"{url.host or 'localhost'}{f':{url.port}' if url.port else ''}"]


def _settings(role: str, patience_s: float | None) -> dict[str, str]:
    if role == "reader":
        return {"default_transaction_read_only": "on"}
    if patience_s is None:
        return {}
    return {
        "lock_timeout": f"{round(1000 * patience_s)}",
        "statement_timeout": f"{STATEMENT_MS}",
        # Of a program that was stopped in the middle: its locks must not stand in everyone's way.
        "idle_in_transaction_session_timeout": f"{ABANDONED_MS}",
    }
