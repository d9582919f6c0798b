"""Any number of periods for one statement, whose text stays the same and is put together once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BindParameter,
    Dialect,
    Integer,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
    type_coerce,
)

from collector.domain.periods import Period
from collector.storage.columns import Seconds, is_postgresql

AT_ONCE = 2_000
"""How many periods one statement asks for."""


def batches(periods: Iterable[Period]) -> Iterator[list[Period]]:
    """As many periods as one statement takes, again and again."""
    every = iter(periods)
    for first in every:
        yield list(chain([first], islice(every, AT_ONCE - 1)))


def asked_periods(dialect: Dialect, periods: Sequence[Period]) -> CTE:
    """Periods in their order: `start_at`, `end_at`."""
    if is_postgresql(dialect):
        starts, ends = _array("starts", (p.start_s for p in periods)), _array("ends", (p.end_s for p in periods))
        columns = (column("start_at", Seconds), column("end_at", Seconds))
        both = func.unnest(starts, ends).table_valued(*columns, name="each").render_derived()
        return select(*both.c).cte("asked")
    # One object, whose names are the starts: to take two parts out of each value takes twice as long.
    text = json.dumps({p.start_s: p.end_s for p in periods}, separators=(",", ":"))
    asked = bindparam("asked_json", text, type_=Text, unique=True)
    each = func.json_each(asked).table_valued("key", "value", name="each")
    start, end = cast(each.c.key, Integer), each.c.value
    spans = select(type_coerce(start, Seconds).label("start_at"), type_coerce(end, Seconds).label("end_at")).cte(
        "asked"
    )
    return spans.prefix_with("MATERIALIZED")  # or each mention of an end would take the text apart again


def _array(name: str, instants: Iterable[int]) -> BindParameter[Any]:
    return bindparam(f"asked_{name}", list(instants), type_=ARRAY(Seconds), unique=True)
