"""Fault scripts as data."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from collector.errors import UsageError
from collector.sandbox.faults import KINDS, Fault, fault_from
from collector.sandbox.script import Script

NOON_MS = 1_750_000_000_000
PATH = "/sapi/v3/asset/getUserAsset"


def meetings(fault: Fault, count: int, *, account: str = "main", path: str = PATH) -> list[int]:
    """Which of `count` requests, numbered from 1, the fault meets."""
    script = Script()
    script.add(fault, now_ms=NOON_MS)
    return [number for number in range(1, count + 1) if script.meeting(account, path, now_ms=NOON_MS)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_survives_json(kind: str) -> None:
    """The command line, the control endpoint and tests share one format."""
    fault = Fault(kind=kind, account="main", first=3, last=4, status=503, seconds=0.5)
    assert fault_from(json.loads(json.dumps(asdict(fault)))) == fault


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "fault script: a fault must be a JSON object"),
        ({}, "fault script: object missing required field `kind`"),
        ({"kind": "status", "colour": 1}, "fault script: unknown field 'colour': see docs/sandbox.md for the fields"),
        ({"kind": "status", "status": "500"}, "fault script: expected `int | null`, got `str` - at `$.status`"),
        ({"kind": "earthquake"}, "fault script: there is no kind 'earthquake': use one of "),
        ({"kind": "reset", "first": 0}, "fault script: first counts requests from 1: give a number above 0"),
        (
            {"kind": "reset", "first": 3, "last": 2},
            "fault script: last lies before first: give it at least the same number",
        ),
        ({"kind": "reset", "from_s": -1}, "fault script: from_s lies in the past: give 0 or more seconds"),
        ({"kind": "reset", "from_s": 2, "until_s": 2}, "fault script: until_s must be later than from_s"),
        ({"kind": "reset", "probability": 1.1}, "fault script: probability must lie between 0 and 1"),
        ({"kind": "status", "status": 100}, "fault script: status must be an HTTP status from 200 to 599"),
        ({"kind": "hang", "seconds": -1}, "fault script: seconds must be 0 or more"),
        ({"kind": "drip", "every_ms": 0}, "fault script: every_ms must be 1 or more"),
        ({"kind": "drip", "part": "feet"}, "fault script: part must be headers or body"),
        ({"kind": "redirect", "location": "a\r\nb"}, "fault script: a header must be plain ASCII"),
        ({"kind": "error", "retry_after": "ö"}, "fault script: a header must be plain ASCII"),
    ],
)
def test_a_wrong_script_is_one_sentence(data: Any, sentence: str) -> None:
    """A script with a typing error would else fail nothing, and a test would pass for the wrong reason."""
    with pytest.raises(UsageError) as mistake:
        fault_from(data)
    assert str(mistake.value).startswith(sentence)
    assert "\n" not in str(mistake.value)


def test_requests_are_counted_from_when_the_fault_was_added() -> None:
    """'Fail requests 3 to 4' has to mean the third and the fourth."""
    assert meetings(Fault(kind="reset", first=3, last=4), 6) == [3, 4]
    assert meetings(Fault(kind="reset", first=5), 6) == [5, 6]


def test_other_accounts_and_paths_are_not_counted() -> None:
    """Accounts run at the same time; what one of them asks must not shift another's faults."""
    script = Script()
    script.add(Fault(kind="reset", account="main", path=PATH, last=1), now_ms=NOON_MS)
    assert script.meeting("other", PATH, now_ms=NOON_MS) == []
    assert script.meeting(None, "/api/v3/time", now_ms=NOON_MS) == []
    assert script.meeting("main", "/api/v3/time", now_ms=NOON_MS) == []
    assert [fault.kind for fault in script.meeting("main", PATH, now_ms=NOON_MS)] == ["reset"]


def test_a_fault_can_last_for_some_seconds() -> None:
    """'From t+5 s to t+7 s' includes its start and excludes its end."""
    script = Script()
    script.add(Fault(kind="status", from_s=5, until_s=7), now_ms=NOON_MS)
    instants = [4_999, 5_000, 6_999, 7_000]
    assert [len(script.meeting("main", PATH, now_ms=NOON_MS + after)) for after in instants] == [0, 1, 1, 0]


def test_chance_is_reproducible() -> None:
    """A failure found with one seed has to be found again with it."""
    first = meetings(Fault(kind="reset", probability=0.3, seed=7), 200)
    assert first == meetings(Fault(kind="reset", probability=0.3, seed=7), 200)
    assert first != meetings(Fault(kind="reset", probability=0.3, seed=8), 200)
    assert 40 < len(first) < 80
    assert meetings(Fault(kind="reset", probability=0), 50) == []


def test_cleared_faults_meet_nobody() -> None:
    """A test that shares a sandbox ends its own faults."""
    script = Script()
    script.add(Fault(kind="reset"), now_ms=NOON_MS)
    script.clear()
    assert script.in_force == []
    assert script.meeting("main", PATH, now_ms=NOON_MS) == []
