"""The written-out table notices every change of the code's own: each value is changed once, over real sockets."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from collector.binance import faults
from collector.binance.faults import BY_CODE, Fault, Scope, Stop, Wait
from collector.domain.ticks import FailReason
from tests.error_table import TABLE, Row, check, check_aborted, check_again, check_late

pytestmark = pytest.mark.unmeasured

FAULTS = {name: value for name, value in vars(faults).items() if isinstance(value, Fault)}
MOST_ROWS = 6
"""Rows that are tried for one changed value; the first of them notices most changes."""

NO_WAIT = "nobody waits, so that it makes no difference who would"
NEVER_ANSWERED = "it is raised where there is no answer, and so nothing that only an owner can mend"
NOTHING_LEAVES = "nothing can be sent any more, neither an attempt nor a question for the time"
KEPT_QUIET = {"RATE_LIMITED", "BANNED", "FIREWALL", "BUSY", "MAINTENANCE"}
UNNOTICED: dict[tuple[str, str, object], str] = {
    **{(name, "scope", Scope.EGRESS_IP): NO_WAIT for name in FAULTS if name not in KEPT_QUIET},
    **{(name, "permanent", True): NEVER_ANSWERED for name in ("TIMEOUT", "CONNECTION", "TLS", "ABORTED")},
    **{("ABORTED", field, True): NOTHING_LEAVES for field in ("retry", "resync")},
    ("ABORTED", "stop", Stop.AFTER_THREE): "the program ends only once",
    ("CLOCK", "retry", False): "that the clock is asked for decides alone about the one further attempt",
}
"""Changes to a value that make no difference to anybody, and why."""

Urls = Iterator[str]


@pytest.fixture
def urls(sqlite_template: Path, tmp_path: Path) -> Urls:
    """As many migrated databases that hold nothing as it takes."""

    def fresh() -> Urls:
        for number in itertools.count():
            path = tmp_path / f"{number}.db"
            shutil.copy(sqlite_template, path)
            yield f"sqlite:///{path}"
            for file in tmp_path.glob(f"{number}.db*"):
                file.unlink()

    return fresh()


def notices(urls: Urls, rows: list[Row]) -> bool:
    """Whether any of these rows comes out otherwise than written."""
    plays: list[Callable[[str], None]] = [lambda url, row=row: check(row, url) for row in rows]  # type: ignore[misc]
    plays += [lambda url, row=row: check_late(row, url) for row in rows if row.next_minute]  # type: ignore[misc]
    plays += [lambda url, row=row: check_again(row, url) for row in rows[:2] if row.quiet]  # type: ignore[misc]
    for play in plays or [check_aborted]:
        try:
            play(next(urls))
        except Exception:  # noqa: BLE001 - most are assertions; some changes make a nonsense that breaks elsewhere
            return True
    return False


def others(value: Any) -> list[Any]:
    """What a value is changed to."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, FailReason):
        return [FailReason.BUSY if value is not FailReason.BUSY else FailReason.CLOCK]
    if isinstance(value, Wait | Scope | Stop):
        return [other for other in type(value) if other is not value]
    return ["something else"]


@contextmanager
def changed(fault: Fault, field: str, value: Any) -> Iterator[None]:
    """The very object with another value: it has been imported all over the place."""
    before = getattr(fault, field)
    object.__setattr__(fault, field, value)
    try:
        yield
    finally:
        object.__setattr__(fault, field, before)


@pytest.mark.parametrize("name", FAULTS)
def test_each_changed_value_of_a_failure_is_noticed(name: str, urls: Urls) -> None:
    """A slip in the table would be found by nobody else before Binance has a bad day."""
    fault, unnoticed = FAULTS[name], set[tuple[str, str, object]]()
    rows = [row for row in TABLE if row.sentence.startswith(fault.meaning)][:MOST_ROWS]
    for field in fields(fault):
        for value in others(getattr(fault, field.name)):
            change = (name, field.name, value)
            with changed(fault, field.name, value):
                if not notices(urls, rows[:1] if change in UNNOTICED else rows):
                    unnoticed.add(change)
    assert unnoticed == {change for change in UNNOTICED if change[0] == name}


@pytest.mark.parametrize("code", BY_CODE)
def test_each_code_that_is_lost_or_mistaken_is_noticed(code: int, urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binance has dozens of them, and each decides whether an account stops."""
    rows = [row for row in TABLE if row.code == code]
    assert rows, "the table has no row for it"
    for other in (None, faults.SERVER_ERROR, faults.BAD_PARAMETER, faults.KEY_REJECTED):
        if other is BY_CODE[code]:
            continue
        with monkeypatch.context() as patch:
            if other is None:
                patch.delitem(BY_CODE, code)
            else:
                patch.setitem(BY_CODE, code, other)
            assert notices(urls, rows), f"{code} as {other and other.reason}"


def test_nothing_is_noticed_where_nothing_is_changed(urls: Urls) -> None:
    """Else these tests would prove nothing."""
    by_reason = {row.reason: row for row in TABLE if not row.impatient}
    assert len(by_reason) > 10
    assert not notices(urls, list(by_reason.values()))
    assert not notices(urls, [])
