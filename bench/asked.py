"""The reports that are timed as whole processes, and how many rows each has to give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.built import Built

DAY_S = 86_400
MINUTES = 30 * DAY_S
POINTS = 2_000
ANY = -1  # rows: also none

STORED = "SELECT count(*) FROM tick WHERE outcome = 'stored' AND due_at >= {start} AND due_at < {end}"
HELD = "SELECT count(*) FROM balance WHERE due_at >= {start} AND due_at < {end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A command, and how many rows it has to give: a number, ANY, a query that counts them, or None for one or more.

    `through` counts the snapshots that it goes through, where these are not all.
    """

    name: str
    arguments: Sequence[str]
    rows: int | str | None = None
    through: str | None = None


def bounded(built: Built) -> list[Report]:
    """What answers with at most 2,000 points, a month of one asset's minutes, or all assets of a day."""
    first, end = built.first_due_at, built.last_due_at + built.interval_s
    middle = first + (end - first) // 2 // DAY_S * DAY_S
    month = max(end - 2 * MINUTES, first), min(max(end - 2 * MINUTES, first) + MINUTES, end)
    day = middle, min(middle + DAY_S, end)
    points = middle, min(middle + POINTS * built.interval_s, end)
    days = -(-(end - first) // DAY_S)
    often, rarely, vanishing = built.often, built.rarely, built.vanishing
    held, to_end = len(built.assets), ["--to", _at(end)]
    return [
        Report(name="latest", arguments=["latest"], rows=held),
        Report(name="latest --as-of", arguments=["latest", "--as-of", _at(points[1])]),
        Report(
            name="history, 2,000 minutes",
            arguments=["history", often, *range_of(points)],
            rows=STORED.format(start=points[0], end=points[1]),
        ),
        Report(
            name="history, a month of minutes",
            arguments=["history", often, *range_of(month)],
            rows=STORED.format(start=month[0], end=month[1]),
        ),
        Report(name="history --every 1d", arguments=["history", often, "--every", "1d", *to_end], rows=days),
        Report(
            name="history --every 1d, vanished", arguments=["history", vanishing, "--every", "1d", *to_end], rows=days
        ),
        Report(
            name="export, all assets of a day",
            arguments=["export", "--format", "csv", *range_of(day)],
            rows=HELD.format(start=day[0], end=day[1]),
        ),
        Report(name="changes --all, a day", arguments=["changes", "--all", *range_of(day)]),
        Report(name="changes, a month", arguments=["changes", often, *range_of(month)]),
        Report(name="changes, rare ones of a month", arguments=["changes", rarely, *range_of(month)], rows=ANY),
        Report(name="diff", arguments=["diff", _at(month[0]), _at(month[1])], rows=ANY),
        Report(name="total --every 1d", arguments=["total", "--every", "1d", *to_end], rows=days),
        Report(name="allocation", arguments=["allocation"]),
        Report(name="withdrawing", arguments=["withdrawing"], rows=ANY),
        Report(name="gaps, a month", arguments=["gaps", *range_of(month)], rows=ANY),
        Report(name="coverage", arguments=["coverage"], rows=1),
        Report(name="coverage --by day", arguments=["coverage", "--by", "day", *to_end], rows=days),
        Report(name="status", arguments=["status"], rows=ANY),
    ]


def unbounded(built: Built) -> list[Report]:
    """What grows with the history: how fast it goes through it is what counts."""
    month = _calendar_month(built)
    return [
        Report(name="history", arguments=["history", built.often], rows=built.stored),
        Report(name="changes", arguments=["changes", built.often]),
        Report(name="total", arguments=["total", "--from", _at(built.first_due_at)], rows=built.stored),
        Report(name="gaps", arguments=["gaps"]),
        Report(
            name="statement, a month",
            arguments=["statement", "--month", _at(month[0])[:7]],
            through=STORED.format(start=month[0], end=month[1]),
        ),
    ]


def _calendar_month(built: Built) -> tuple[int, int]:
    """The last whole one, or what there is of the last one."""
    last = datetime.fromtimestamp(built.last_due_at, UTC).replace(day=1, hour=0, minute=0, second=0)
    before = (last - timedelta(days=1)).replace(day=1)
    first = last if before.timestamp() < built.first_due_at else before
    return int(first.timestamp()), int((first + timedelta(days=32)).replace(day=1).timestamp())


def range_of(span: tuple[int, int]) -> list[str]:
    """The options that ask for start <= instant < end."""
    return ["--from", _at(span[0]), "--to", _at(span[1])]


def _at(instant_s: int) -> str:
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
