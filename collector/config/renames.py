"""The table [rename] of a configuration file: assets that got another name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path

from collector.config import checks
from collector.domain.renames import Rename, Renames
from collector.domain.timewords import parse_instant
from collector.errors import ConfigError

TABLE = "rename"
EXAMPLE = 'LUNC = { from = "LUNA", on = 2022-05-28 }'


def renames_in(table: Mapping[str, object], path: Path) -> Renames:
    """What the table says, as NEW = { from = OLD, on = DAY }. ConfigError holds one sentence."""
    entries = tuple(_renames(table, path))
    for before, after in combinations(entries, 2):
        if (before.old, before.on_s) == (after.old, after.on_s):
            raise ConfigError(f"{before.old} gets two names at once in {path}: {before.new} and {after.new}")
    return Renames(entries)


def _renames(table: Mapping[str, object], path: Path) -> Iterator[Rename]:
    for new, entry in table.items():
        where = f"{TABLE}.{new} in {path}"
        if not isinstance(entry, dict) or entry.keys() != {"from", "on"}:
            raise ConfigError(f"{where} must say the old name and the day of the change: {EXAMPLE}")
        try:
            old = checks.asset(str(checks.as_type(entry["from"], str, is_text=False)))
            rename = Rename(old=old, new=checks.asset(new), on_s=_instant(entry["on"]))
        except ValueError as e:
            raise ConfigError(f"{where}: {e}") from None
        if rename.old == rename.new:
            raise ConfigError(f"{where} must have another name than before")
        yield rename


def _instant(value: object) -> int:
    """Epoch seconds of a date (its first moment in UTC) or an instant, as TOML or as text."""
    if isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, date):
        value = f"{value.isoformat()}T00:00:00Z"
    if not isinstance(value, str):
        raise ValueError("on must be a date like 2022-05-28 or an instant like 2022-05-28T06:00:00Z")  # noqa: TRY004 - said to a user
    return parse_instant(value, zone=UTC, now_s=0)
