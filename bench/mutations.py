"""Damages documents at random, reproducibly."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MAX_BYTES = 128 * 1024

Edit = Callable[[Random, bytes], bytes]

AWKWARD: tuple[Any, ...] = (
    *(0, 1, -1, 1.5, 1e300, 10**30, True, None, "", " ", [], {}, [[]], {"a": {"b": [1, "x"]}}),
    *("0", "-0", "+1", ".5", "5.", "1e5", "0E-8", "1E+99", "1e100", "NaN", "Infinity", "1_000", "0x1", "1,5", "\uff11"),
    *("9" * 40, "9" * 41, "0." + "0" * 39, "0." + "0" * 40, "1" + "0" * 60, "币安人生", "\u0000", "\ud800", "A" * 201),
)
FIELDS = ("asset", "free", "locked", "freeze", "withdrawing", "ipoable", "btcValuation", "new", "")


class Mutator:
    """Makes a new document from one of the seeds: first its structure, where it is JSON, then its bytes."""

    def __init__(self, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
        self._seeds = seeds
        self._tokens = tokens
        self._edits: tuple[Edit, ...] = (self._insert, self._insert, self._splice, _delete, _overwrite, _repeat, _flip)

    def make(self, dice: Random) -> bytes:
        """The document that these dice lead to."""
        return self.change(dice, dice.choice(self._seeds))

    def change(self, dice: Random, document: bytes) -> bytes:
        """Another document from this one."""
        restructured = dice.random() < 0.5
        if restructured:
            document = _restructured(dice, document)
        for _ in range(dice.choice((0, 0, 1)) if restructured else dice.choice((1, 1, 1, 2, 3, 6))):
            document = dice.choice(self._edits)(dice, document)
        return document[:MAX_BYTES]

    def _insert(self, dice: Random, document: bytes) -> bytes:
        at = dice.randrange(len(document) + 1)
        return document[:at] + dice.choice(self._tokens) + document[at:]

    def _splice(self, dice: Random, document: bytes) -> bytes:
        at, part = dice.randrange(len(document) + 1), _slice(dice, dice.choice(self._seeds))
        return document[:at] + part + document[at:]


def _slice(dice: Random, document: bytes) -> bytes:
    start = dice.randrange(len(document) + 1)
    return document[start : start + dice.choice((1, 2, 5, 20, 100, 1000))]


def _delete(dice: Random, document: bytes) -> bytes:
    start = dice.randrange(len(document) + 1)
    return document[:start] + document[start + dice.choice((1, 1, 2, 5, 50)) :]


def _overwrite(dice: Random, document: bytes) -> bytes:
    at = dice.randrange(len(document) + 1)
    return document[:at] + bytes((dice.randrange(256),)) + document[at + 1 :]


def _flip(dice: Random, document: bytes) -> bytes:
    if not document:
        return document
    at = dice.randrange(len(document))
    return document[:at] + bytes((document[at] ^ 1 << dice.randrange(8),)) + document[at + 1 :]


def _repeat(dice: Random, document: bytes) -> bytes:
    """A part of it many times: what takes quadratic time shows here."""
    at, part = dice.randrange(len(document) + 1), _slice(dice, document)
    times = dice.choice((2, 2, 3, 10)) if dice.random() < 0.98 else MAX_BYTES // max(1, len(part))
    return document[:at] + part * times + document[at:]


def _restructured(dice: Random, document: bytes) -> bytes:
    """The same JSON with one or two things changed in it, spelled in another way; else the document as it is."""
    try:
        value = json.loads(document)
    except ValueError:
        return document
    for _ in range(dice.choice((0, 1, 1, 2))):
        value = _changed(dice, value)
    spelling = dice.choice(({}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}))
    return json.dumps(value, **spelling).encode("utf-8", "surrogatepass")


def _changed(dice: Random, value: Any) -> Any:
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return dice.choice((value, [value], dice.choice(AWKWARD)))
    rows = [dict(row) if isinstance(row, dict) else row for row in value]
    row = dice.choice(rows)
    match dice.randrange(12):
        case 0:
            dice.shuffle(rows)
        case 1:
            rows.append(row)
        case 2:
            rows.insert(dice.randrange(len(rows) + 1), dice.choice(AWKWARD))
        case 3 if isinstance(row, dict) and row:
            del row[dice.choice(list(row))]
        case 4 if isinstance(row, dict):
            row[dice.choice(FIELDS)] = dice.choice(AWKWARD)
        case 5 | 6 if isinstance(row, dict):
            row["asset"] = _name(dice)
        case _ if isinstance(row, dict):
            row[dice.choice(FIELDS[1:])] = _number(dice)
    return rows


def _name(dice: Random) -> str:
    """Something that looks like an asset, in any of Unicode's planes."""
    planes = ((0x30, 0x5B), (0x21, 0x7F), (0x80, 0x250), (0x4E00, 0x9FFF), (0x1F300, 0x1F6FF), (0xD7F0, 0xE010))
    first, last = dice.choice(planes)
    return "".join(chr(dice.randrange(first, last)) for _ in range(dice.choice((1, 3, 4, 8, 60, 200))))


def _number(dice: Random) -> str:
    """Something that looks like an amount, and mostly is one."""
    whole = "".join(dice.choices("0123456789", k=dice.choice((1, 1, 2, 8, 19, 32))))
    part = "." + "".join(dice.choices("0000123456789", k=dice.choice((1, 2, 8, 8, 18)))) if dice.random() < 0.7 else ""
    power = dice.choice(("e", "E")) + dice.choice(("", "-", "+")) + str(dice.choice((0, 8, 9, 18, 30, 99, 100)))
    return whole + part + (power if dice.random() < 0.1 else "")
