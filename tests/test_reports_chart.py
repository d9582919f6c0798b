"""Charts of characters: the line is broken where nothing is known, and instants can be told apart."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from collector.reports.chart import chart_text

T0 = 1_774_958_400
"""2026-03-31T12:00:00Z."""


def drawn(*amounts: str | None, every_s: int) -> list[str]:
    """The lines of a picture of these amounts."""
    series = [(T0 + n * every_s, None if each is None else Decimal(each)) for n, each in enumerate(amounts)]
    picture = chart_text(series, title="t", width=62, height=10, zone=ZoneInfo("Europe/Berlin"))
    return picture.splitlines()


@pytest.mark.parametrize(
    ("every_s", "labels"),
    [
        (2, ["14:00:00", "14:00:04", "14:00:08"]),
        (3600, ["03-31 14:00", "03-31 16:00", "03-31 18:00"]),
        (86_400, ["2026-03-31", "2026-04-02", "2026-04-04"]),
    ],
)
def test_first_middle_and_last_instant_can_be_told_apart(every_s: int, labels: list[str]) -> None:
    """In the first minutes of a history as well as after years, in the zone of the report."""
    last = drawn("1", "2", "3", "2", "1", every_s=every_s)[-1]
    assert [label for label in labels if label in last] == labels


def test_an_amount_holds_until_the_next_one_and_not_into_a_gap() -> None:
    """Whoever looks at a line believes that it is known."""
    rows = drawn("1", "1", None, None, "1", "1", every_s=3600)
    line = next(row for row in rows if "⠤" in row or "⠒" in row or "⣀" in row or "⠉" in row)
    inside = line[line.index("┤") + 1 : line.rindex("│")]
    runs = inside.split()
    assert len(runs) == 2
    assert all(len(run) >= 9 for run in runs)
    assert len(inside.strip()) - sum(map(len, runs)) >= 30


@pytest.mark.parametrize(
    ("amounts", "dots"), [(["1.5"], 1), ([None], 0), ([], 0), ([None, None], 0), (["0", None], 1), (["7", "7"], 2)]
)
def test_there_is_a_picture_of_whatever_is_known(amounts: list[str | None], dots: int) -> None:
    """On the first day there is one value, and there may be none: a division by zero was the answer."""
    rows = drawn(*amounts, every_s=3600)
    assert rows[0].strip() == "t"
    assert bool(dots) == any("\u2800" < character < "\u2900" for row in rows for character in row)
