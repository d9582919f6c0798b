"""A history in Python: typed rows, exact amounts, one read-only view of the database for each question."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from collector.config.database import normal_url
from collector.domain.balances import Balance
from collector.domain.changes import Difference, Movement, compare, sum_of_effects
from collector.domain.coverage import PeriodCoverage
from collector.domain.periods import Every, Period, first_moment, periods
from collector.domain.records import (
    Account,
    AssetClose,
    AssetPoint,
    Coverage,
    Gap,
    StoredSnapshot,
    TotalClose,
    TotalPoint,
)
from collector.domain.renames import NO_RENAMES, Renames
from collector.domain.timewords import parse_instant
from collector.domain.valuation import Effects
from collector.errors import NoDataError, UsageError
from collector.reports import flat
from collector.reports.frames import Rows
from collector.reports.instants import rfc3339
from collector.storage import coverage as ticks
from collector.storage import history, ledger, series
from collector.storage.accounts import every_account
from collector.storage.movements import movements
from collector.storage.reader import Reader, reading

When = str | date | datetime
"""A datetime with its time zone, a date (its first moment in the history's zone), or text as the commands take it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings(Rows[Balance]):
    """What an account held: the balances of one snapshot, by name; `gaps` are those since then."""

    snapshot: StoredSnapshot

    @property
    def btc_total(self) -> Decimal | None:
        """Their value in BTC, without those that have no price; None when no valuation was asked for."""
        return self.snapshot.btc_total


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff(Rows[Difference]):
    """Every asset that differs between two snapshots; `effects` splits the whole change of value, where it is known."""

    before: StoredSnapshot
    after: StoredSnapshot
    effects: Effects | None


class History:
    """What a database holds of one account: that of this name, or the only one.

    `url` is an SQLite file or a database URL, `tz` the zone in which days begin. Every method raises a CollectorError
    with one sentence: NoDataError where nothing could answer, UsageError for an impossible question, DatabaseError.
    """

    def __init__(
        self,
        url: str | Path,
        *,
        account: str | None = None,
        tz: str = "UTC",
        renames: Renames = NO_RENAMES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            self._url = normal_url(str(url), Path.cwd())
        except ValueError as error:
            raise UsageError(f"the database {error}") from None
        self._name, self._renames, self._clock = account, renames, clock
        self._zone = _zone(tz)

    def accounts(self) -> tuple[str, ...]:
        """The names of all accounts that were ever collected."""
        with reading(self._url) as reader:
            return tuple(account.name for account in every_account(reader))

    def latest(self) -> Holdings:
        """The newest snapshot."""
        with self._asking() as (reader, account):
            found = history.latest(reader, account, renames=self._renames)
            return _holdings(reader, account, found, None)

    def as_of(self, instant: When) -> Holdings:
        """The newest snapshot that was due at this instant or before."""
        at = self._instant(instant)
        with self._asking() as (reader, account):
            found = history.as_of(reader, account, at, renames=self._renames)
            return _holdings(reader, account, found, at)

    @overload
    def asset(
        self, name: str, *, since: When | None = None, until: When | None = None, every: None = None
    ) -> Rows[AssetPoint]: ...
    @overload
    def asset(
        self, name: str, *, since: When | None = None, until: When | None = None, every: str
    ) -> Rows[AssetClose]: ...
    def asset(
        self, name: str, *, since: When | None = None, until: When | None = None, every: str | None = None
    ) -> Rows[AssetPoint] | Rows[AssetClose]:
        """One asset at each snapshot, since <= due_at < until.

        With `every` (1h, 1d, 1w, 1mo): at the last snapshot of each period. Zero where a snapshot does not name it. A
        period of which nothing is known has no point.
        """
        from_s, to_s = self._range(since, until)
        with self._asking() as (reader, account):
            first = history.first_due(reader, account, name, renames=self._renames)
            if first is None:
                raise NoDataError(f"account {account.name!r} was never seen to hold {name!r}")
            start_s = first if from_s is None else from_s
            gaps = tuple(ledger.gaps(reader, account, from_s=start_s, to_s=to_s))
            if every is None:
                points = series.asset_points(reader, account, name, from_s=from_s, to_s=to_s, renames=self._renames)
                return Rows(rows=tuple(points), fields=flat.POINTS, gaps=gaps)
            spans = self._periods(reader, account, every, start_s, to_s)
            closes = series.asset_closes(reader, account, name, spans, renames=self._renames)
            return Rows(rows=tuple(closes), fields=flat.CLOSES, gaps=gaps)

    @overload
    def total(
        self, *, since: When | None = None, until: When | None = None, every: None = None
    ) -> Rows[TotalPoint]: ...
    @overload
    def total(self, *, since: When | None = None, until: When | None = None, every: str) -> Rows[TotalClose]: ...
    def total(
        self, *, since: When | None = None, until: When | None = None, every: str | None = None
    ) -> Rows[TotalPoint] | Rows[TotalClose]:
        """The value in BTC at each snapshot, or at the last one of each period."""
        from_s, to_s = self._range(since, until)
        with self._asking() as (reader, account):
            start_s = series.first_snapshot(reader, account) if from_s is None else from_s
            if start_s is None:
                raise _no_snapshot(account, None)
            gaps = tuple(ledger.gaps(reader, account, from_s=start_s, to_s=to_s))
            if every is None:
                points = series.total_points(reader, account, from_s=from_s, to_s=to_s)
                return Rows(rows=tuple(points), fields=flat.TOTALS, gaps=gaps)
            spans = self._periods(reader, account, every, start_s, to_s)
            return Rows(rows=tuple(series.total_closes(reader, account, spans)), fields=flat.TOTAL_CLOSES, gaps=gaps)

    def diff(self, earlier: When, later: When) -> Diff:
        """What differs between the snapshots as of two instants."""
        from_s, to_s = self._range(earlier, later)
        with self._asking() as (reader, account):
            before, after = (
                _found(account, history.as_of(reader, account, at or 0, renames=self._renames), at)
                for at in (from_s, to_s)
            )
            differences = compare(
                before.balances, after.balances, before_valued=before.btc_requested, after_valued=after.btc_requested
            )
            return Diff(
                rows=tuple(d for d in differences if d.moved),
                fields=flat.DIFFERENCES,
                gaps=tuple(ledger.gaps(reader, account, from_s=before.due_at, to_s=to_s)),
                before=before,
                after=after,
                effects=sum_of_effects(differences),
            )

    def changes(
        self, asset: str | None = None, *, since: When | None = None, until: When | None = None
    ) -> Rows[Movement]:
        """Every movement of amounts, of one asset or all, each with the time in which it happened and its gaps."""
        from_s, to_s = self._range(since, until)
        with self._asking() as (reader, account):
            found = movements(reader, account, asset=asset, from_s=from_s, to_s=to_s, renames=self._renames)
            return Rows(rows=tuple(found), fields=flat.MOVEMENTS)

    def gaps(self, *, since: When | None = None, until: When | None = None) -> Rows[Gap]:
        """When nothing was collected, and why; the open gap reaches to the present."""
        from_s, to_s = self._range(since, until)
        with self._asking() as (reader, account):
            found = tuple(ledger.gaps(reader, account, from_s=from_s, to_s=to_s))
            return Rows(rows=found, fields=flat.GAPS, gaps=found)

    @overload
    def coverage(self, *, since: None = None, until: None = None, every: None = None) -> Rows[Coverage]: ...
    @overload
    def coverage(self, *, since: When | None = None, until: When | None = None, every: str) -> Rows[PeriodCoverage]: ...
    def coverage(
        self, *, since: When | None = None, until: When | None = None, every: str | None = None
    ) -> Rows[Coverage] | Rows[PeriodCoverage]:
        """How the ticks that were due came out: one row for all of them, or one for each period."""
        from_s, to_s = self._range(since, until)
        if every is None and (from_s, to_s) != (None, None):
            raise UsageError("coverage of a range is told by its periods: say every='1d', '1w' or '1mo'")
        with self._asking() as (reader, account):
            if every is None:
                return Rows(rows=tuple(ledger.coverage(reader, account)), fields=flat.COVERAGE)
            now_s = ticks.database_now(reader)
            first, last = ticks.due_span(reader, account, now_s=now_s) or (0, 0)
            start_s, end_s = first if from_s is None else from_s, last if to_s is None else min(to_s, now_s + 1)
            spans = list(periods(_every(every), start_s, end_s, self._zone)) if last else []
            found = ticks.period_coverage(reader, account, spans, now_s=now_s)
            return Rows(rows=tuple(found), fields=flat.PERIOD_COVERAGE)

    @contextmanager
    def _asking(self) -> Iterator[tuple[Reader, Account]]:
        with reading(self._url) as reader:
            yield reader, _chosen(every_account(reader), self._name)

    def _periods(self, reader: Reader, account: Account, every: str, start_s: int, to_s: int | None) -> list[Period]:
        """Up to now, or to the newest snapshot of a clock that ran ahead: of the future nothing can be said."""
        newest = history.latest(reader, account)
        now_s = max(int(self._clock()), newest.due_at if newest else 0) + 1
        return list(periods(_every(every), start_s, now_s if to_s is None else min(to_s, now_s), self._zone))

    def _range(self, since: When | None, until: When | None) -> tuple[int | None, int | None]:
        from_s, to_s = (None if at is None else self._instant(at) for at in (since, until))
        if from_s is not None and to_s is not None and from_s >= to_s:
            raise UsageError("the end of a range must be later than its start: it is exclusive")
        return from_s, to_s

    def _instant(self, at: When) -> int:
        """Epoch seconds; a fraction is rounded up, so that `due_at >= T` keeps its meaning."""
        if isinstance(at, datetime):
            if at.tzinfo is None:
                raise UsageError(f"{at.isoformat()} says nothing of its time zone: give the datetime a tzinfo")
            return -((EPOCH - at) // timedelta(seconds=1))
        if isinstance(at, date):
            return first_moment(at, self._zone)
        try:
            return parse_instant(at, zone=self._zone, now_s=int(self._clock()))
        except ValueError as error:
            raise UsageError(str(error)) from None


def _zone(tz: str) -> tzinfo:
    try:
        return UTC if tz == "UTC" else ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"there is no time zone {tz!r}: write it like Europe/Berlin") from None


def _every(every: str) -> Every:
    try:
        return Every(every)
    except ValueError:
        raise UsageError(f"{every!r} is no period: there are {', '.join(Every)}") from None


def _chosen(accounts: list[Account], name: str | None) -> Account:
    named = [account for account in accounts if name in {None, account.name}]
    if len(named) == 1:
        return named[0]
    names = ", ".join(account.name for account in accounts)
    if named:
        raise UsageError(f"there are {len(named)} accounts, choose one with account=...: {names}")
    if name is not None and accounts:
        raise NoDataError(f"account {name!r} has never been collected: there are {names}")
    raise NoDataError("nothing has been collected yet")


def _holdings(reader: Reader, account: Account, found: StoredSnapshot | None, at: int | None) -> Holdings:
    snapshot = _found(account, found, at)
    to_s = None if at is None else at + 1
    gaps = tuple(ledger.gaps(reader, account, from_s=snapshot.due_at, to_s=to_s))
    return Holdings(rows=snapshot.balances, fields=flat.BALANCES, gaps=gaps, snapshot=snapshot)


def _found(account: Account, found: StoredSnapshot | None, at: int | None) -> StoredSnapshot:
    if found is None:
        raise _no_snapshot(account, at)
    return found


def _no_snapshot(account: Account, at: int | None) -> NoDataError:
    when = "snapshot yet" if at is None else f"snapshot of {rfc3339(at)} or before"
    return NoDataError(f"account {account.name!r} has no {when}")
