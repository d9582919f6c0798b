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
    TableValuedAlias,
    Text,
    bindparam,
    column,
    func,
    literal_column,
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
    each = _each([(p.start_s, p.end_s) for p in periods])
    parts = (func.json_extract(each.c.value, literal_column(f"'$[{place}]'")) for place in (0, 1))
    named = zip(("start_at", "end_at"), parts, strict=True)
    spans = select(*(type_coerce(part, Seconds).label(name) for name, part in named)).cte("asked")
    return spans.prefix_with("MATERIALIZED")  # or each mention of an end would take the text apart again


def _each(values: Sequence[Any]) -> TableValuedAlias:
    text = json.dumps(values, separators=(",", ":"))
    return func.json_each(bindparam("asked_json", text, type_=Text, unique=True)).table_valued("value", name="each")


def _array(name: str, instants: Iterable[int]) -> BindParameter[Any]:
    return bindparam(f"asked_{name}", list(instants), type_=ARRAY(Seconds), unique=True)
