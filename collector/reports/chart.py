"""A series as a picture of characters; it needs the extra `term`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from importlib import import_module
from itertools import groupby, pairwise
from typing import Any

from collector.errors import UsageError

MARGIN = 2
FORMS = ((3 * 86_400, "%Y-%m-%d"), (600, "%m-%d %H:%M"), (-1, "%H:%M:%S"))
"""How instants are written in a picture of more than so many seconds."""


def chart_text(
    series: Sequence[tuple[int, Decimal | None]], *, title: str, width: int, height: int, zone: tzinfo = UTC
) -> str:
    """The series (epoch seconds, amount or None) as steps without colours; where nothing is known the line is broken.

    Raises UsageError when the library that draws is not installed.
    """
    drawing = _library()
    drawing.clear_figure()
    drawing.theme("clear")
    drawing.plotsize(max(width - MARGIN, 20), max(height, 8))
    drawing.title(title)
    # A picture has some hundred dots in each direction: here, and only here, an amount may become a float.
    for run in _runs(series):
        steps = _steps(run)
        drawing.plot([at for at, _ in steps], [float(amount) for _, amount in steps], marker="braille")
    if len(series) > 1:
        drawing.xlim(series[0][0], series[-1][0])  # also where nothing is known at the ends
    _name_instants(drawing, [at for at, _ in series], zone)
    return f"{drawing.uncolorize(drawing.build()).rstrip()}\n"


def _library() -> Any:
    try:
        return import_module("plotext")
    except ImportError:
        raise UsageError("--chart needs the library that draws: pip install 'binance-asset-collector[term]'") from None


def _runs(series: Sequence[tuple[int, Decimal | None]]) -> Iterator[list[tuple[int, Decimal]]]:
    for known, run in groupby(series, key=lambda one: one[1] is not None):
        if known:
            yield [(at, amount) for at, amount in run if amount is not None]


def _steps(run: list[tuple[int, Decimal]]) -> list[tuple[int, Decimal]]:
    """With a corner before each change: an amount holds until another one is known, it does not glide."""
    corners = [(later, amount) for (_, amount), (later, _) in pairwise(run)]
    return [run[0], *(point for pair in zip(corners, run[1:], strict=True) for point in pair)]


def _name_instants(drawing: Any, instants: Sequence[int], zone: tzinfo) -> None:
    """First, middle and last instant, with hours or seconds where days or minutes would not tell them apart."""
    if not instants:
        return
    marks = sorted({instants[0], instants[len(instants) // 2], instants[-1]})
    shown = next(form for longer_than_s, form in FORMS if marks[-1] - marks[0] > longer_than_s)
    drawing.xticks(marks, [datetime.fromtimestamp(at, UTC).astimezone(zone).strftime(shown) for at in marks])
