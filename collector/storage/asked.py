"""Any number of periods for one question, whose text stays the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from collector.domain.periods import Period
from collector.storage.reader import Reader

AT_ONCE = 2_000
"""How many periods one question asks for."""

# One object, whose names are the starts: to take two parts out of each value takes twice as long. MATERIALIZED, or each
# mention of an end would take the text apart again.
SQLITE = """
WITH asked AS MATERIALIZED (
    SELECT CAST(key AS INTEGER) AS start_at, value AS end_at FROM json_each(:asked_json)
)"""
POSTGRESQL = """
WITH asked AS (
    SELECT to_timestamp(start_s) AS start_at, to_timestamp(end_s) AS end_at
    FROM unnest(CAST(:asked_starts AS bigint[]), CAST(:asked_ends AS bigint[])) AS each (start_s, end_s)
)"""


def batches(periods: Iterable[Period]) -> Iterator[list[Period]]:
    """As many periods as one question takes, again and again."""
    every = iter(periods)
    for first in every:
        yield list(chain([first], islice(every, AT_ONCE - 1)))


def asked_periods(reader: Reader) -> str:
    """How a question begins that asks for periods, in the table `asked`: `start_at`, `end_at`."""
    return POSTGRESQL if reader.words.postgresql else SQLITE


def asked_values(reader: Reader, periods: Sequence[Period]) -> dict[str, Any]:
    """The values that belong to it: the periods in their order."""
    if reader.words.postgresql:
        return {"asked_starts": [p.start_s for p in periods], "asked_ends": [p.end_s for p in periods]}
    return {"asked_json": json.dumps({p.start_s: p.end_s for p in periods}, separators=(",", ":"))}
