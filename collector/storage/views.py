"""The views: the public interface for SQL, with the same names and columns on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

OPEN_AFTER_S = 120
"""A tick without an answer counts as missed after this many seconds, or after two intervals when they are shorter:
an account's place in the window and its time to try can each take a minute, or an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the two engines say differently; each is a format with one place."""

    instant: str
    instant_ms: str
    epoch: str
    number: str
    whole: str
    zero: str
    now: str
    to_instant: str
    joined: str
    least: str
    greatest: str
    for_ever: str


SQLITE = Words(
    instant="strftime('%Y-%m-%dT%H:%M:%SZ', {0}, 'unixepoch')",
    instant_ms="strftime('%Y-%m-%dT%H:%M:%fZ', {0} / 1000.0, 'unixepoch')",
    epoch="{0}",
    number="CAST({0} AS REAL)",
    whole="{0}",
    zero="'0'",
    now="CAST(strftime('%s', 'now') AS INTEGER)",
    to_instant="{0}",
    joined="(SELECT group_concat(word, ',') FROM (SELECT word FROM ({0}) ORDER BY word))",
    least="min({0})",
    greatest="max({0})",
    for_ever="9223372036854775807",
)

POSTGRESQL = Words(
    instant="{0}",
    instant_ms="{0}",
    epoch="CAST(extract(epoch FROM {0}) AS bigint)",
    number="CAST({0} AS double precision)",
    whole="CAST({0} AS bigint)",
    zero="CAST(0 AS numeric)",
    now="CAST(floor(extract(epoch FROM now())) AS bigint)",
    to_instant="to_timestamp({0})",
    joined="(SELECT string_agg(word, ',' ORDER BY word) FROM ({0}) AS words)",
    least="least({0})",
    greatest="greatest({0})",
    for_ever="CAST('infinity' AS timestamp with time zone)",
)

AMOUNTS = ("free", "locked", "frozen", "withdrawing", "ipoable", "btc_valuation")


def view_definitions(words: Words) -> dict[str, str]:
    """Name of each view and the SELECT behind it, in an order in which they can be created."""
    return {
        "snapshot": _snapshots(words, "t.outcome = 'stored'"),
        "total_history": _snapshots(words, "t.outcome = 'stored' AND t.btc_requested = 1"),
        "latest_balance": _balances(words, f"t.outcome = 'stored' AND t.due_at = {NEWEST_SNAPSHOT}"),
        "balance_history": _balances(words, "t.outcome = 'stored'"),
        "asset_history": _asset_history(words),
        "gap": _gaps(words),
        "coverage": _coverage(words),
    }


NEWEST_SNAPSHOT = (
    "(SELECT s.due_at FROM tick AS s WHERE s.account_id = a.id AND s.outcome = 'stored' ORDER BY s.due_at DESC LIMIT 1)"
)


def _tick_columns(w: Words) -> str:
    return (
        f"a.name AS account, a.id AS account_id, {w.instant.format('t.due_at')} AS due_at, "
        f"{w.epoch.format('t.due_at')} AS due_epoch, {w.instant_ms.format('t.received_at')} AS captured_at"
    )


# CROSS JOIN keeps SQLite to this order: without a filter on the account it would walk over every tick there is.
def _snapshots(w: Words, where: str) -> str:
    return dedent(f"""\
        SELECT {_tick_columns(w)},
            a.asset_scope, t.asset_count, t.unpriced, t.btc_total, {w.number.format("t.btc_total")} AS btc_total_num
        FROM account AS a CROSS JOIN tick AS t
        WHERE t.account_id = a.id AND {where}""")


def _amount_columns(w: Words, exact: dict[str, str]) -> str:
    numbers = {name: w.number.format(value) for name, value in exact.items()}
    total = " + ".join(numbers[name] for name in ("free", "locked", "frozen", "withdrawing"))
    return ", ".join(
        [f"{value} AS {name}" for name, value in exact.items()]
        + [f"{value} AS {name}_num" for name, value in numbers.items()]
        + [f"{total} AS total_num"]
    )


def _balances(w: Words, where: str) -> str:
    return dedent(f"""\
        SELECT {_tick_columns(w)}, b.asset,
            {_amount_columns(w, {name: f"b.{name}" for name in AMOUNTS})}
        FROM account AS a CROSS JOIN tick AS t CROSS JOIN balance AS b
        WHERE t.account_id = a.id AND b.account_id = t.account_id AND b.due_at = t.due_at AND {where}""")


def _asset_history(w: Words) -> str:
    exact = {name: f"coalesce(b.{name}, {w.zero})" for name in AMOUNTS[:-1]}
    exact["btc_valuation"] = f"CASE WHEN b.asset IS NULL AND t.btc_requested = 1 THEN {w.zero} ELSE b.btc_valuation END"
    return dedent(f"""\
        SELECT {_tick_columns(w)}, k.asset,
            {_amount_columns(w, exact)}
        FROM account AS a CROSS JOIN known_asset AS k CROSS JOIN tick AS t
            LEFT JOIN balance AS b ON b.account_id = t.account_id AND b.due_at = t.due_at AND b.asset = k.asset
        WHERE k.account_id = a.id AND t.account_id = a.id AND t.due_at >= k.first_due_at AND t.outcome = 'stored'
            AND (a.asset_scope IS NULL OR a.asset_scope = k.asset)""")


NEWEST_OF_THREE = "coalesce(tick_at, -1), coalesce(missed_at, -1), coalesce(thinned_at, -1)"
NEXT_ENTRY = "lead(s.from_at) OVER (PARTITION BY s.account_id ORDER BY s.from_at)"


def _newest(table: str, column: str, key: str, extra: str = "") -> str:
    return f"(SELECT x.{column} FROM {table} AS x WHERE x.account_id = a.id{extra} ORDER BY x.{key} DESC LIMIT 1)"


def _open_ticks(w: Words) -> str:
    """CTEs: what was due of each account, in epoch seconds, and which due instants at the end have no answer yet.

    Ranges of one account never overlap, so the newest range by start is the newest by end.
    """
    open_ticks = "(to_at - 1) / interval_s - (open_from - 1) / interval_s"
    settled = f"{w.now} - {w.least.format(f'2 * s.interval_s, {OPEN_AFTER_S}')}"
    return dedent(f"""\
        answered AS (
            SELECT a.id AS account_id,
                {w.epoch.format(_newest("tick", "due_at", "due_at", " AND x.interval_s IS NOT NULL"))} AS tick_at,
                {w.epoch.format(_newest("missed", "last_due_at", "start_at"))} AS missed_at,
                {w.epoch.format(_newest("thinned", "last_due_at", "start_at"))} AS thinned_at
            FROM account AS a),
        newest AS (
            SELECT account_id, {w.greatest.format(NEWEST_OF_THREE)} AS newest_at FROM answered),
        period AS (
            SELECT s.account_id, s.interval_s, n.newest_at, {w.epoch.format("s.from_at")} AS from_at,
                coalesce({w.epoch.format(NEXT_ENTRY)}, {w.greatest.format(f"n.newest_at, {settled}")} + 1) AS to_at
            FROM schedule AS s JOIN newest AS n ON n.account_id = s.account_id),
        due AS (
            SELECT account_id, interval_s, to_at,
                {w.greatest.format("0, (to_at - 1) / interval_s - (from_at - 1) / interval_s")} AS ticks,
                {w.greatest.format("from_at, newest_at + 1")} AS open_from
            FROM period WHERE interval_s IS NOT NULL),
        open_end AS (
            SELECT account_id, {w.whole.format(f"sum({open_ticks})")} AS ticks,
                min((open_from + interval_s - 1) / interval_s * interval_s) AS start_at,
                max((to_at - 1) / interval_s * interval_s) AS last_due_at
            FROM due WHERE (to_at - 1) / interval_s > (open_from - 1) / interval_s
            GROUP BY account_id)""")


LOST = "x.outcome <> 'stored' AND x.interval_s IS NOT NULL"
KEPT = "x.outcome = 'stored' AND x.interval_s IS NOT NULL"


def _gaps(w: Words) -> str:
    """A gap begins where the answer before it is no loss and ends before the next snapshot; found by key seeks.

    Each step is DISTINCT though its rows are: else the planners put the steps' subqueries into each other and
    run them again for each place that names their result. Filters on account and start still reach the seeks.
    """
    is_open = f"g.next_at = {w.for_ever}"
    return (
        "WITH "
        + _open_ticks(w)
        + ",\n"
        + _gap_bounds(w)
        + dedent(f"""
        measured AS (
            SELECT DISTINCT g.account_id, g.start_at, {is_open} AS open,
                {_last_lost(w, is_open)} AS last_due_at,
                (SELECT count(*) {LOST_TICKS}) AS failed,
                {w.whole.format(f"(SELECT coalesce(sum(x.ticks), 0) {MISSED_RANGES})")}
                    + CASE WHEN {is_open} THEN coalesce(o.ticks, 0) ELSE 0 END AS missed,
                {_reasons(w, is_open)} AS reasons
            FROM g LEFT JOIN open_end AS o ON o.account_id = g.account_id)
        SELECT a.name AS account, m.account_id,
            {w.instant.format("m.start_at")} AS start_at, {w.epoch.format("m.start_at")} AS start_epoch,
            {w.instant.format("m.last_due_at")} AS last_due_at, {w.epoch.format("m.last_due_at")} AS last_due_epoch,
            m.failed + m.missed AS ticks, m.failed, m.missed, m.reasons, m.open
        FROM measured AS m JOIN account AS a ON a.id = m.account_id""")
    )


def _gap_bounds(w: Words) -> str:
    """CTEs up to `g`: the start of each gap and the next snapshot, kept or thinned, after it (for ever: none yet)."""
    never = w.to_instant.format("0")
    newest_before = "x.account_id = i.account_id AND x.{0} < i.start_at ORDER BY x.{0} DESC LIMIT 1"
    lost_before = f"(SELECT x.due_at FROM tick AS x WHERE {LOST} AND {newest_before.format('due_at')})"
    missed_before = f"(SELECT x.last_due_at FROM missed AS x WHERE {newest_before.format('start_at')})"
    loss_before = w.greatest.format(
        f"coalesce({lost_before}, {never}),\n            coalesce({missed_before}, {never})"
    )
    between = "x.account_id = s.account_id AND x.{0} > s.loss_at AND x.{0} < s.start_at"
    next_after = "x.account_id = s.account_id AND x.{0} > s.start_at ORDER BY x.{0} LIMIT 1"
    kept_after = f"(SELECT x.due_at FROM tick AS x WHERE {KEPT} AND {next_after.format('due_at')})"
    thinned_after = f"(SELECT x.start_at FROM thinned AS x WHERE {next_after.format('start_at')})"
    snapshot_after = w.least.format(
        f"coalesce({kept_after}, {w.for_ever}),\n            coalesce({thinned_after}, {w.for_ever})"
    )
    return dedent(f"""\
        item AS (
            SELECT account_id, due_at AS start_at FROM tick AS x WHERE {LOST}
            UNION ALL SELECT account_id, start_at FROM missed
            UNION ALL SELECT account_id, {w.to_instant.format("start_at")} FROM open_end),
        seen AS (
            SELECT DISTINCT i.account_id, i.start_at,
                {loss_before} AS loss_at
            FROM item AS i),
        g AS (
            SELECT DISTINCT s.account_id, s.start_at,
                {snapshot_after} AS next_at
            FROM seen AS s
            WHERE s.loss_at = {never}
                OR EXISTS (SELECT 1 FROM tick AS x WHERE {between.format("due_at")} AND x.interval_s IS NOT NULL)
                OR EXISTS (SELECT 1 FROM thinned AS x WHERE {between.format("start_at")})),""")


def _within(column: str) -> str:
    return f"x.account_id = g.account_id AND x.{column} >= g.start_at AND x.{column} < g.next_at"


LOST_TICKS = f"FROM tick AS x WHERE {LOST} AND {_within('due_at')}"
MISSED_RANGES = f"FROM missed AS x WHERE {_within('start_at')}"


def _last_lost(w: Words, is_open: str) -> str:
    never = w.to_instant.format("0")
    ends = (
        f"coalesce((SELECT max(x.due_at) {LOST_TICKS}), {never})",
        f"coalesce((SELECT max(x.last_due_at) {MISSED_RANGES}), {never})",
        f"CASE WHEN {is_open} AND o.ticks > 0 THEN {w.to_instant.format('o.last_due_at')} ELSE {never} END",
    )
    return w.greatest.format(",\n            ".join(ends))


def _reasons(w: Words, is_open: str) -> str:
    words = (
        f"SELECT x.reason AS word {LOST_TICKS}",
        f"SELECT x.reason {MISSED_RANGES}",
        f"SELECT 'not_running' WHERE {is_open} AND o.ticks > 0",
    )
    return w.joined.format("\n            UNION ".join(words))


def _coverage(w: Words) -> str:
    ranges = w.whole.format("(SELECT coalesce(sum(x.ticks), 0) FROM {0} AS x WHERE x.account_id = a.id)")
    due = w.whole.format("(SELECT coalesce(sum(d.ticks), 0) FROM due AS d WHERE d.account_id = a.id)")
    return (
        "WITH "
        + _open_ticks(w)
        + dedent(f""",
        counted AS (
            SELECT DISTINCT a.name AS account, a.id AS account_id, {due} AS due,
                {ranges.format("thinned")} AS thinned,
                (SELECT count(*) FROM tick AS x WHERE x.account_id = a.id AND {LOST}) AS failed,
                {ranges.format("missed")}
                    + coalesce((SELECT o.ticks FROM open_end AS o WHERE o.account_id = a.id), 0) AS missed
            FROM account AS a)
        SELECT account, account_id, due, due - thinned - failed - missed AS stored, thinned, failed, missed,
            CASE WHEN due > 0 THEN {w.number.format("100 * (due - failed - missed)")} / due END AS percent
        FROM counted""")
    )
