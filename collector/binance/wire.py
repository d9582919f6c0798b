"""Replies to getUserAsset: bytes to exact values, or one typed error.

Facts: https://developers.binance.com/docs/wallet/asset/user-assets
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import msgspec

from collector.binance.amounts import MAX_DIGITS, NotAnAmountError, amount_of, is_amount
from collector.binance.faults import fault_for
from collector.binance.replies import bad_reply, error_of, parse_ban_end, parse_error
from collector.domain.balances import Balance, Snapshot, snapshot_of
from collector.errors import ExchangeError

MAX_NAME = 200

_NAME = re.compile(rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{MAX_NAME}}}")


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row as Binance names its fields, every value still text."""

    asset: str
    free: str
    locked: str
    freeze: str
    withdrawing: str
    ipoable: str
    btcValuation: str  # noqa: N815 - Binance's name


FIELDS = Row.__struct_fields__
# Two quotes for the name of a field and two for its text.
QUOTES_PER_ROW = 4 * len(FIELDS)

_rows = msgspec.json.Decoder(list[Row])
_raw_rows = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def parse_user_assets(body: bytes, *, btc_requested: bool) -> Snapshot:
    """Snapshot of a reply to getUserAsset (all assets or one: an array in both cases); `[]` is an empty account.

    Raises ExchangeError: `bad_reply` for anything that is not an array of complete rows, the reason of its code for an
    object that carries one. One wrong row makes the whole reply worthless: a part of it would look like the whole.
    """
    rows, extra = _plain_rows(body) or _any_rows(body)
    balances = [_balance(number, row, btc_requested=btc_requested) for number, row in enumerate(rows, 1)]
    _refuse_duplicates(rows)
    return snapshot_of(balances, btc_requested=btc_requested, extra=extra)


def _plain_rows(body: bytes) -> tuple[Sequence[Row], Mapping[str, Mapping[str, str]]] | None:
    """Fast path for rows of exactly the known fields, each once; None sends the reply to the thorough path.

    A field that msgspec skipped or overwrote shows as quotes too many: each quote begins or ends a text, unless a
    backslash stands before it that no other backslash has escaped.
    """
    try:
        rows = _rows.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    quotes = body.count(b'"') - body.count(b'\\"')
    return (rows, {}) if quotes == QUOTES_PER_ROW * len(rows) and b"\\\\" not in body else None


def _any_rows(body: bytes) -> tuple[Sequence[Row], Mapping[str, Mapping[str, str]]]:
    """Thorough path: unknown fields as their raw JSON text, and a sentence for whatever is wrong."""
    try:
        raw = _raw_rows.decode(body)
        json.loads(body.decode(), object_pairs_hook=_unique)  # NaN did not get past msgspec
    except _RepeatedNameError:
        raise bad_reply("an object of the reply has a field twice") from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _not_rows(body) from None
    rows = [_row(number, fields) for number, fields in enumerate(raw, 1)]
    extra = {row.asset: _unknown(fields) for row, fields in zip(rows, raw, strict=True) if len(fields) > len(FIELDS)}
    return rows, extra


def _row(number: int, fields: Mapping[str, msgspec.Raw]) -> Row:
    return Row(*(_text(number, name, fields) for name in FIELDS))


def _text(number: int, name: str, fields: Mapping[str, msgspec.Raw]) -> str:
    if name not in fields:
        raise bad_reply(f"row {number}: {name} is missing")
    try:
        return msgspec.json.decode(fields[name], type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise bad_reply(f"row {number}: {name} is not a text") from None


def _unknown(fields: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    return {name: bytes(raw).decode() for name, raw in fields.items() if name not in FIELDS}


def _balance(number: int, row: Row, *, btc_requested: bool) -> Balance:
    if not _is_name(row.asset):
        raise bad_reply(f"row {number}: asset is empty, longer than {MAX_NAME} characters or holds a control character")
    try:
        valuation = amount_of(row.btcValuation)
        return Balance(
            asset=row.asset,
            free=amount_of(row.free),
            locked=amount_of(row.locked),
            frozen=amount_of(row.freeze),
            withdrawing=amount_of(row.withdrawing),
            ipoable=amount_of(row.ipoable),
            btc_valuation=valuation if btc_requested else None,
        )
    except NotAnAmountError:
        wrong = f"row {number}: {_wrong_field(row)}"
        raise bad_reply(f"{wrong} is not a plain decimal number of at most {MAX_DIGITS} digits") from None


def _is_name(asset: str) -> bool:
    return (asset.isalnum() and len(asset) <= MAX_NAME) or _NAME.fullmatch(asset) is not None


def _wrong_field(row: Row) -> str:
    return next(name for name in FIELDS[1:] if not is_amount(getattr(row, name)))


def _refuse_duplicates(rows: Sequence[Row]) -> None:
    if len({row.asset for row in rows}) == len(rows):
        return
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        if row.asset in seen:
            raise bad_reply(f"row {number}: asset is there a second time")
        seen.add(row.asset)


def _not_rows(body: bytes) -> ExchangeError:
    """Best sentence for a body that is no array of objects."""
    error = parse_error(body)
    if error is None:
        return bad_reply("the reply is not a JSON array of objects")
    code, message = error
    banned = parse_ban_end(message) is not None
    return error_of(fault_for(200, code, banned=banned), 200, code, message)


class _RepeatedNameError(Exception):
    """A JSON object has one name twice, which parsers read differently."""


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _RepeatedNameError
