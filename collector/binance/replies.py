"""The short replies of Binance, turned into typed values.

Facts: https://developers.binance.com/docs/binance-spot-api-docs/rest-api and https://developers.binance.com/docs/wallet
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from collector.binance.amounts import amount_of, is_amount
from collector.binance.faults import BAD_REPLY, Fault
from collector.errors import ExchangeError

MAX_SHOWN = 200
LARGEST_CODE = 2**31 - 1  # what an INTEGER column holds
LATEST_MS = 10**14  # the year 5138

_BAN_END = re.compile(r"banned until ([0-9]{13})(?![0-9])")
_SECRET = re.compile(r"[A-Za-z0-9+/=%_-]{32,}")  # a key or a signature that a gateway repeats
_SECONDS = re.compile(r"[0-9]{1,9}")

_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus:
    """Whether Binance is closed for maintenance, in its own words."""

    maintenance: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRestrictions:
    """What an API key may do; `rights` names every right beyond reading, as Binance calls them."""

    ip_restricted: bool
    reading: bool
    rights: tuple[str, ...]
    created_at_ms: int | None


def parse_error(body: bytes) -> tuple[int, str] | None:
    """Code and message of Binance's error object, None when the body is something else; a missing message is empty.

    What looks like a key or a signature is blanked out, and the message is cut at 200 characters.
    """
    try:
        fields = _raw_object.decode(body)
        code = msgspec.json.decode(fields.get("code", b"null"), type=int)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return (code, _message(fields.get("msg", b'""'))) if abs(code) <= LARGEST_CODE else None


def _message(raw: bytes | msgspec.Raw) -> str:
    try:
        return _shown(_SECRET.sub("***", msgspec.json.decode(raw, type=str)))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def parse_ban_end(message: str) -> int | None:
    """Epoch milliseconds in "... IP banned until 1659146400000 ...", None without."""
    found = _BAN_END.search(message)
    return int(found[1]) if found else None


def parse_seconds(header: str | None) -> int | None:
    """Value of Retry-After, or of a header that counts weight; None when it is missing or no whole number."""
    return int(header) if header is not None and _SECONDS.fullmatch(header.strip()) else None


def error_of(fault: Fault, http_status: int, code: int | None, message: str) -> ExchangeError:
    """Error of a fault, with Binance's own words for the operator."""
    code_told = "" if code is None else f", code {code}"
    message_told = f", {message!r}" if message else ""
    return ExchangeError(
        f"{fault.meaning} (http status {http_status}{code_told}{message_told})",
        reason=fault.reason,
        http_status=http_status,
        code=code,
        banned_until_ms=parse_ban_end(message),
        permanent=fault.permanent,
    )


def parse_server_time(body: bytes) -> int:
    """Epoch milliseconds of `{"serverTime": 1499827319559}`."""
    moment = _whole(_object(body, "the server time").get("serverTime"))
    if moment is not None and 0 < moment < LATEST_MS:
        return moment
    raise bad_reply("the server time lacks serverTime in epoch milliseconds")


def parse_system_status(body: bytes) -> SystemStatus:
    """Value of `{"status": 0, "msg": "normal"}`; 1 is maintenance."""
    fields = _object(body, "the system status")
    status, message = _whole(fields.get("status")), fields.get("msg", "")
    if status in {0, 1} and isinstance(message, str):
        return SystemStatus(maintenance=status == 1, message=_shown(message))
    raise bad_reply("the system status is neither 0 nor 1")


def parse_api_restrictions(body: bytes) -> ApiRestrictions:
    """Rights of an API key; a right that is unknown here counts as one beyond reading."""
    fields = _object(body, "the list of permissions")
    restricted, reading = fields.get("ipRestrict"), fields.get("enableReading")
    if not isinstance(restricted, bool) or not isinstance(reading, bool):
        raise bad_reply("the list of permissions lacks ipRestrict or enableReading")
    harmless = {"ipRestrict", "enableReading", "enableFixReadOnly"}
    return ApiRestrictions(
        ip_restricted=restricted,
        reading=reading,
        rights=tuple(sorted(_shown(name) for name, value in fields.items() if value is True and name not in harmless)),
        created_at_ms=_whole(fields.get("createTime")),
    )


def parse_ticker_price(body: bytes, symbol: str) -> Decimal:
    """Price of `{"symbol": "BTCUSDT", "price": "4.00000200"}`, exact, above zero, of the symbol asked for."""
    fields = _object(body, "the price")
    text = fields.get("price")
    if fields.get("symbol") == symbol and isinstance(text, str) and is_amount(text) and amount_of(text):
        return amount_of(text)
    raise bad_reply(f"the price of {symbol} is not there, or no decimal number above zero")


def _object(body: bytes, what: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise bad_reply(f"{what} is not a JSON object") from None


def _whole(value: object) -> int | None:
    """Return the value if it is an integer, which True is not."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _shown(text: str) -> str:
    """What a server said, fit for one line of a log."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_SHOWN])


def bad_reply(sentence: str) -> ExchangeError:
    """Error for a reply with status 200 that is not data; the sentence says where."""
    return ExchangeError(f"{BAD_REPLY.meaning}: {sentence}", reason=BAD_REPLY.reason, http_status=200)
