"""The report on how the collection stands."""

from __future__ import annotations

from collections.abc import Sequence

from collector.domain.offsets import clock_warnings
from collector.domain.records import AccountStatus, Coverage, Run, Wait
from collector.domain.spooled import Spooled
from collector.reports.bases import basis_of
from collector.reports.gapwords import gap_words
from collector.reports.instants import ago, duration, rfc3339, rfc3339_ms
from collector.reports.spool import spool_facts, spool_warnings
from collector.reports.values import Basis, Cell, Column, Kind, Report
from collector.reports.verdict import ahead, newest_offset_ms, percent, state


def status_report(
    statuses: Sequence[AccountStatus],
    *,
    database: str,
    run: Run | None,
    waits: Sequence[Wait],
    now_ms: int,
    spooled: Spooled | None = None,
) -> Report[AccountStatus]:
    """A row for each account. With only one account the report rests on its newest snapshot."""
    return Report(
        basis=_basis(statuses, now_ms),
        columns=_columns(now_ms),
        digest=_digest(now_ms),
        headless=True,
        rows=tuple(statuses),
        gaps=tuple(s.open_gap for s in statuses if s.open_gap),
        facts={
            "now": rfc3339_ms(now_ms),
            "database": database,
            "daemon": None if run is None else _run_object(run),
            "waits": [{"scope": w.scope, "until": rfc3339_ms(w.until_ms), "reason": w.reason} for w in waits],
            "spool": spool_facts(spooled) if spooled else None,
        },
        notes=(f"database {database}", _run_sentence(run, now_ms)),
        warnings=(
            *map(_wait_sentence, waits),
            *(spool_warnings(spooled) if spooled else ()),
            *clock_warnings(newest_offset_ms(statuses)),
            *ahead(statuses, now_ms=now_ms),
        ),
    )


def _basis(statuses: Sequence[AccountStatus], now_ms: int) -> Basis:
    if len(statuses) != 1:
        return Basis(account=None)
    newest = statuses[0].newest_snapshot
    return basis_of(newest, now_ms=now_ms) if newest else Basis(account=statuses[0].account.name)


def _columns(now_ms: int) -> tuple[Column[AccountStatus], ...]:
    """What programs read."""
    return (
        Column(name="account", kind=Kind.TEXT, cell=lambda s: s.account.name),
        Column(name="state", kind=Kind.TEXT, cell=state),
        Column(name="interval_s", kind=Kind.COUNT, cell=lambda s: s.interval_s),
        *_snapshot_columns(now_ms),
        *_failure_columns(),
        *_gap_columns(),
        Column(name="coverage", kind=Kind.TEXT, cell=lambda s: percent(s.coverage)),
        *(_count(name) for name in ("due", "stored", "thinned", "failed", "missed")),
        Column(name="stopped_at", kind=Kind.INSTANT, cell=lambda s: _ms(s.account.stopped_at_ms)),
        Column(name="stop_reason", kind=Kind.TEXT, cell=lambda s: s.account.stop_reason),
    )


def _snapshot_columns(now_ms: int) -> tuple[Column[AccountStatus], ...]:
    def basis(status: AccountStatus) -> Basis:
        return _basis([status], now_ms)

    return (
        Column(name="due_at", kind=Kind.INSTANT, cell=lambda s: _s(basis(s).due_at)),
        Column(name="captured_at", kind=Kind.INSTANT, cell=lambda s: _ms(basis(s).captured_at_ms)),
        Column(name="age", kind=Kind.COUNT, cell=lambda s: basis(s).age_s),
        Column(
            name="clock_offset_ms",
            kind=Kind.COUNT,
            cell=lambda s: s.newest_snapshot.clock_offset_ms if s.newest_snapshot else None,
        ),
    )


def _failure_columns() -> tuple[Column[AccountStatus], ...]:
    def of(name: str, kind: Kind) -> Column[AccountStatus]:
        return Column(name=f"failure_{name}", kind=kind, cell=lambda s: getattr(s.newest_failure, name, None))

    return (
        Column(
            name="failure_due_at",
            kind=Kind.INSTANT,
            cell=lambda s: _s(s.newest_failure.due_at if s.newest_failure else None),
        ),
        of("reason", Kind.TEXT),
        of("http_status", Kind.COUNT),
        of("code", Kind.COUNT),
    )


def _gap_columns() -> tuple[Column[AccountStatus], ...]:
    return (
        Column(name="gap_start_at", kind=Kind.INSTANT, cell=lambda s: _s(s.open_gap.start_at if s.open_gap else None)),
        Column(name="gap_ticks", kind=Kind.COUNT, cell=lambda s: s.open_gap.ticks if s.open_gap else None),
        Column(name="gap_reasons", kind=Kind.WORDS, cell=lambda s: s.open_gap.reasons if s.open_gap else None),
    )


def _count(name: str) -> Column[AccountStatus]:
    return Column(name=name, kind=Kind.COUNT, cell=lambda s: int(getattr(s.coverage, name)))


def _digest(now_ms: int) -> tuple[Column[AccountStatus], ...]:
    """What people read."""
    return (
        Column(name="account", kind=Kind.TEXT, cell=lambda s: s.account.name),
        Column(name="state", kind=Kind.TEXT, cell=_state_words),
        Column(name="newest snapshot", kind=Kind.TEXT, cell=lambda s: _snapshot_words(s, now_ms)),
        Column(name="newest failure", kind=Kind.TEXT, cell=_failure_words),
        Column(name="open gap", kind=Kind.TEXT, cell=lambda s: gap_words(s.open_gap) if s.open_gap else "none"),
        Column(name="coverage", kind=Kind.TEXT, cell=lambda s: _coverage_words(s.coverage)),
    )


def _state_words(status: AccountStatus) -> str:
    word, every = state(status), f"every {duration(status.interval_s or 0)}"
    if word == "stopped":
        since = _ms(status.account.stopped_at_ms)
        return f"stopped since {since}: {status.account.stop_reason or 'no reason was kept'}"
    return f"{word} {every}" if word == "collected" else word


def _snapshot_words(status: AccountStatus, now_ms: int) -> str:
    basis = _basis([status], now_ms)
    if basis.due_at is None or basis.age_s is None:
        return "none"
    return f"due {rfc3339(basis.due_at)}, captured {ago(basis.age_s)}"


def _failure_words(status: AccountStatus) -> Cell:
    failure = status.newest_failure
    if failure is None:
        return "none"
    told = (("HTTP", failure.http_status), ("code", failure.code))
    details = "".join(f", {name} {value}" for name, value in told if value is not None)
    return f"due {rfc3339(failure.due_at)}: {failure.reason}{details}"


def _coverage_words(coverage: Coverage) -> str:
    if not coverage.due:
        return "no tick was due yet"
    lost = f"{coverage.failed} failed, {coverage.missed} missed"
    return f"{percent(coverage)} % of {coverage.due} ticks ({lost})"


def _run_object(run: Run) -> dict[str, Cell]:
    return {
        "host": run.host,
        "pid": run.pid,
        "started_at": rfc3339_ms(run.started_at_ms),
        "ended_at": _ms(run.ended_at_ms),
        "clean": run.clean,
        "version": run.version,
    }


def _run_sentence(run: Run | None, now_ms: int) -> str:
    if run is None:
        return "no daemon has run on this database yet"
    what = f"daemon {run.version}, pid {run.pid} on {run.host}, started {ago((now_ms - run.started_at_ms) // 1000)}"
    if run.ended_at_ms is None:
        return f"{what}; it runs, or did not end cleanly"
    return f"{what}, ended {ago((now_ms - run.ended_at_ms) // 1000)}"


def _wait_sentence(wait: Wait) -> str:
    return f"waiting until {rfc3339_ms(wait.until_ms)} ({wait.scope}): {wait.reason}"


def _s(instant_s: int | None) -> str | None:
    return None if instant_s is None else rfc3339(instant_s)


def _ms(instant_ms: int | None) -> str | None:
    return None if instant_ms is None else rfc3339_ms(instant_ms)
