"""Values to report on, and reports as text in each format."""

from decimal import Decimal
from typing import Any

from collector.domain.balances import Snapshot, exact_sum, snapshot_of
from collector.domain.periods import Period
from collector.domain.records import Account, AccountStatus, Coverage, Failure, Gap, StoredSnapshot
from collector.domain.statement import Statement
from collector.reports.lines import READERS
from collector.reports.table import table_text
from collector.reports.values import Report
from tests.ledgers import held

DUE = 1_774_958_400
"""2026-03-31T12:00:00Z."""

NOW_MS = DUE * 1000 + 192_500

AWKWARD = (
    held("1000SATS", "1000000", btc_valuation="0.0104"),
    held("=cmd|' /C calc'!A0", "5"),
    held("BTC", "0.50000000", locked="0.00000000", frozen="0.00000000", withdrawing="0.1", btc_valuation="0.60000000"),
    held('DON\'T, "PANIC"', "0.000000000000000042", ipoable="7"),
    held("SHIB", "50300000001.44911105", locked="887.47061626", btc_valuation="0.00000001"),
    held("币安人生", "123456789012345678901234567890.12345678", frozen="0.0000001"),
)


def account(name: str = "main", **known: Any) -> Account:
    """An account that was collected whole, and is."""
    unknown = ("asset_scope", "key_fingerprint", "stopped_at_ms", "stop_reason", "probe_at_ms")
    return Account(id=1, name=name, created_at_ms=0, **{**dict.fromkeys(unknown), **known})


def stored_snapshot(snapshot: Snapshot, of: Account | None = None, **said: Any) -> StoredSnapshot:
    """A snapshot as the store gives it, due at DUE at an interval of five minutes."""
    requested = snapshot.btc_requested
    priced = exact_sum(b.btc_valuation or Decimal(0) for b in snapshot.balances)
    values = {
        "account": of or account(),
        "due_at": DUE,
        "interval_s": 300,
        "requested_at_ms": DUE * 1000 + 100,
        "received_at_ms": DUE * 1000 + 321,
        "recorded_at_ms": DUE * 1000 + 400,
        "clock_offset_ms": 12,
        "unpriced": snapshot.unpriced,
        "btc_total": priced if requested else None,
        "btc_requested": requested,
        "digest": "",
        "extra": {},
        "balances": snapshot.balances,
    }
    return StoredSnapshot(**{**values, **said})


def gap(start_at: int = DUE + 300, ticks: int = 1, *, is_open: bool = False, name: str = "main", **said: Any) -> Gap:
    """A gap at five minutes' interval whose ticks were missed."""
    values = {"failed": 0, "missed": ticks, "reasons": ("not_running",), **said}
    last = start_at + (ticks - 1) * 300
    return Gap(account=name, start_at=start_at, last_due_at=last, ticks=ticks, open=is_open, **values)


def coverage(due: int = 1000, failed: int = 0, missed: int = 0) -> Coverage:
    """How so many ticks came out."""
    stored = due - failed - missed
    return Coverage(account="main", due=due, stored=stored, thinned=0, failed=failed, missed=missed)


def status(newest: StoredSnapshot | None, of: Account | None = None, **said: Any) -> AccountStatus:
    """An account that is collected every five minutes without a loss."""
    values: dict[str, Any] = {"interval_s": 300, "newest_failure": None, "open_gap": None, "coverage": coverage()}
    return AccountStatus(account=of or account(), newest_snapshot=newest, **{**values, **said})


def failure(**said: Any) -> Failure:
    """A tick that failed by a time-out."""
    values = {"due_at": DUE - 300, "reason": "timeout", "http_status": None, "code": None, "detail": None}
    return Failure(**{**values, **said})


def empty_statement(**said: Any) -> Statement:
    """The statement of March 2026 of an account that held nothing."""
    march = Period(name="2026-03", start_s=1_772_323_200, end_s=1_775_001_600)
    nothing = stored_snapshot(snapshot_of([], btc_requested=True))
    values = {
        "account": account(),
        "period": march,
        "until_s": march.end_s,
        "opening": nothing,
        "closing": nothing,
        "rows": (),
        "coverage": coverage(),
        "gaps": (),
        "known_at_ms": march.end_s * 1000 + 120_000,
        "recorded_at_ms": nothing.recorded_at_ms,
    }
    return Statement(**{**values, **said})


def as_text(report: Report[Any], chosen: str, *, width: int | None = None) -> str:
    """The report in a format."""
    return table_text(report, width=width) if chosen == "table" else "".join(READERS[chosen](report))
