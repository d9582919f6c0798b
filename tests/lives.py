"""Lives of an account: events, a model of what the ledger must say of them, and the same done to a database.

The model knows only seconds, sets and lists. It shares no arithmetic with the code under test.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection, text

from collector.domain.records import Account, Gap
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.storage import registry
from collector.storage.record import Recorder
from tests.ledgers import failed, record, rows, stored

Event = tuple[Any, ...]
INTERVALS = (1, 3, 7, 10, 60, 150)

reasons = st.sampled_from(list(FailReason))
causes = st.sampled_from([c for c in MissReason if c is not MissReason.NOT_RUNNING])
seconds = st.integers(min_value=0, max_value=400)
intervals = st.none() | st.sampled_from(INTERVALS)

events: st.SearchStrategy[list[Event]] = st.lists(
    st.one_of(
        st.tuples(st.just("stored"), st.integers(min_value=1, max_value=5)),
        st.tuples(st.just("failed"), reasons),
        st.tuples(st.just("missed"), causes, st.integers(min_value=1, max_value=6)),
        st.tuples(st.just("restart"), seconds, intervals),
        st.tuples(st.just("manual"), st.integers(min_value=0, max_value=60)),
        st.tuples(st.just("manual_then"), st.sampled_from(["stored", "failed", "missed"])),
        st.tuples(st.just("then_manual"), st.sampled_from(["stored", "failed"])),
        st.tuples(st.just("thin"), st.sampled_from([2, 4, 1000])),
    ),
    max_size=25,
)


@dataclass
class Life:
    """An account's life so far: `clock` is its present second; the model and the database are changed side by side."""

    writer: Recorder
    account: Account
    clock: int
    said: dict[int, int | None] = field(default_factory=dict)
    answers: dict[int, tuple[str, str | None]] = field(default_factory=dict)

    def live(self, life: list[Event]) -> None:
        """Go through the events; whatever is due meanwhile is answered by the event or by the next restart."""
        self.restart(0, 10)
        self.go_through(life)

    def go_through(self, life: list[Event]) -> None:
        """Go through further events."""
        for event, *arguments in life:
            getattr(self, event)(*arguments)

    def restart(self, after_s: int, interval_s: int | None) -> None:
        """Down for some seconds, back with this interval (None: the account was taken out)."""
        self.clock += after_s
        for t in self.due_before(self.clock):
            self.answers.setdefault(t, ("missed", "not_running"))
        with self.writer.transaction() as connection:
            registry.open_ledger(connection, self.account.id, interval_s=interval_s, now_s=self.clock)
        if self.interval_at(self.clock) != interval_s:
            self.said[self.clock] = interval_s

    def stored(self, count: int = 1) -> None:
        """The next ticks bring snapshots."""
        for _ in range(count):
            self._tick("stored", None)

    def failed(self, reason: FailReason = FailReason.BUSY) -> None:
        """The next tick fails."""
        self._tick("failed", reason)

    def missed(self, reason: MissReason = MissReason.OVERRUN, count: int = 1) -> None:
        """The next ticks are not tried."""
        interval_s = self.interval_at(self.clock)
        if interval_s is not None:
            due = [self._next_due() + n * interval_s for n in range(count)]
            ticks = TickRange(start_at=due[0], last_due_at=due[-1], interval_s=interval_s)
            self.writer.record_missed(self.account.id, ticks, reason)
            self.answers |= dict.fromkeys(due, ("missed", str(reason)))
            self.clock = due[-1] + 1

    def manual(self, after_s: int) -> None:
        """Somebody takes a snapshot off the grid, or on an instant of it while nothing runs."""
        self.restart(after_s, self.interval_at(self.clock))
        record(self.writer, stored(self.account, self.clock, interval_s=None))
        self.clock += 1
        self.restart(0, self.interval_at(self.clock))

    def manual_then(self, what: str) -> None:
        """A snapshot by hand in the very second of a tick that then comes out like this."""
        if self.interval_at(self.clock) is not None:
            due_at = self._next_due()
            record(self.writer, stored(self.account, due_at, interval_s=None))
            getattr(self, what)()
            if what != "missed":
                self.answers[due_at] = ("stored", None)

    def then_manual(self, what: str) -> None:
        """A tick comes out like this, and then somebody takes a snapshot in the very same second."""
        if self.interval_at(self.clock) is not None:
            due_at = self._next_due()
            getattr(self, what)()
            record(self.writer, stored(self.account, due_at, interval_s=None))
            self.answers[due_at] = ("stored", None)

    def thin(self, keep_each: int) -> None:
        """Most snapshots so far are pruned; no range holds a record that stays or a change of the schedule."""
        run: list[int] = []
        for number, t in enumerate(self.due_before(self.clock)):
            prunable = self.answers[t] == ("stored", None) and number % keep_each > 0
            if run and (not prunable or self._changed_between(run[-1], t)):
                self._thin(run)
                run = []
            run += [t] if prunable else []
        self._thin(run)

    def _thin(self, run: list[int]) -> None:
        if not run:
            return
        interval_s = self.interval_at(run[0])
        assert interval_s is not None
        self.answers |= dict.fromkeys(run, ("thinned", None))
        with self.writer.transaction() as connection:
            prune(connection, self.account.id, run, interval_s)

    def _changed_between(self, first: int, last: int) -> bool:
        return any(first < at <= last for at in self.said)

    def _tick(self, outcome: str, reason: FailReason | None) -> None:
        interval_s = self.interval_at(self.clock)
        if interval_s is None:
            return
        due_at = self._next_due()
        came = stored(self.account, due_at, interval_s=interval_s)
        record(self.writer, came if reason is None else failed(self.account, due_at, reason, interval_s=interval_s))
        self.answers[due_at] = (outcome, None if reason is None else str(reason))
        self.clock = due_at + 1

    def _next_due(self) -> int:
        interval_s = self.interval_at(self.clock)
        assert interval_s is not None
        return next(t for t in range(self.clock, self.clock + interval_s) if t % interval_s == 0)

    def interval_at(self, second: int) -> int | None:
        """What the schedule said then."""
        return next((self.said[at] for at in sorted(self.said, reverse=True) if at <= second), None)

    def due_before(self, end: int) -> list[int]:
        """Every due instant earlier than this, found second by second."""
        due, interval_s = [], None
        for t in range(min(self.said, default=end), end):
            interval_s = self.said.get(t, interval_s)
            due += [t] if interval_s is not None and t % interval_s == 0 else []
        return due

    def ledger(self, now: int) -> list[tuple[int, str, str | None]]:
        """Each due instant with its one answer; at the end those that wait in vain for two minutes or two intervals."""
        interval_s = self.said[max(self.said)]
        end = now - min(2 * (interval_s or 0), 120) + 1
        newest = max(self.answers, default=0)
        due = self.due_before(max(end, newest + 1))
        return [(t, *self.answers.get(t, ("missed", "not_running"))) for t in due]

    def gaps(self, now: int) -> list[Gap]:
        """Runs of due instants without a snapshot."""
        runs: list[list[tuple[int, str, str | None]]] = [[]]
        for entry in self.ledger(now):
            if entry[1] in {"stored", "thinned"}:
                runs.append([])
            else:
                runs[-1].append(entry)
        return [self._gap(run, is_open=run is runs[-1]) for run in runs if run]

    def _gap(self, run: list[tuple[int, str, str | None]], *, is_open: bool) -> Gap:
        outcomes = [outcome for _, outcome, _ in run]
        return Gap(
            account=self.account.name,
            start_at=run[0][0],
            last_due_at=run[-1][0],
            ticks=len(run),
            failed=outcomes.count("failed"),
            missed=outcomes.count("missed"),
            reasons=tuple(sorted({reason for *_, reason in run if reason})),
            open=is_open,
        )


def prune(connection: Connection, account_id: int, due: list[int], interval_s: int) -> None:
    """Take the snapshots of these instants away, and leave the range that says so."""
    postgresql = connection.dialect.name == "postgresql"
    at = "to_timestamp(:{0})" if postgresql else ":{0}"
    values = {"a": account_id, "s": due[0], "l": due[-1], "i": interval_s, "n": len(due)}
    of_grid = f"account_id = :a AND due_at BETWEEN {at.format('s')} AND {at.format('l')} AND interval_s IS NOT NULL"
    pruned = f"account_id = :a AND due_at IN (SELECT due_at FROM tick WHERE {of_grid})"
    connection.execute(text(f"DELETE FROM balance WHERE {pruned}"), values)
    connection.execute(text(f"DELETE FROM tick WHERE {of_grid}"), values)
    connection.execute(text(f"INSERT INTO thinned VALUES (:a, {at.format('s')}, {at.format('l')}, :i, :n)"), values)


def answers_in(connection: Connection, account_id: int) -> list[tuple[int, str, str | None]]:
    """What the tables answer, range by range and tick by tick; an instant with two answers stands there twice."""
    epoch = "CAST(extract(epoch FROM {0}) AS bigint)" if connection.dialect.name == "postgresql" else "{0}"
    due_at, first, last = (epoch.format(name) for name in ("due_at", "start_at", "last_due_at"))
    ticks = f"SELECT {due_at}, outcome, reason FROM tick WHERE account_id = :a AND interval_s IS NOT NULL"
    found = [(at, outcome, reason) for at, outcome, reason in rows(connection, ticks, a=account_id)]
    for table, reason in (("missed", "reason"), ("thinned", "NULL")):
        ranges = f"SELECT {first}, {last}, interval_s, {reason} FROM {table} WHERE account_id = :a"
        for start, end, interval_s, why in rows(connection, ranges, a=account_id):
            found += [(t, table, why) for t in range(start, end + 1, interval_s)]
    return sorted(found)
