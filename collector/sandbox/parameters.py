"""Reads a signed request's parameters from the bytes that came, in query, form body or both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from collector.sandbox.answers import refuse

MAX_RECV_WINDOW = 60_000
DEFAULT_RECV_WINDOW = 5_000
# How far a client's clock may run ahead, in milliseconds (Binance's documentation of signed endpoints).
MAX_AHEAD = 1_000
_LONG = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Decoded values by name, and `payload`: the bytes that the signature has to cover."""

    values: Mapping[str, str]
    payload: bytes

    @property
    def signature(self) -> str | None:
        """The signature as sent, percent-decoded; None without one."""
        return self.values.get("signature")


def read_parameters(query: bytes, body: bytes, *, is_form: bool) -> Parameters:
    """Both places as one mapping, where the query's value counts; -1101 when a name stands twice in one place.

    A body that is no form is only signed.
    """
    values = _decode(body) if is_form else {}
    values.update(_decode(query))
    return Parameters(values=values, payload=_unsigned(query) + _unsigned(body))


def _decode(raw: bytes) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in filter(None, raw.split(b"&")):
        name, _, value = (unquote_plus(part.decode("latin-1")) for part in pair.partition(b"="))
        if name in values:
            raise refuse(-1101, f"Duplicate values for parameter '{name}' detected.")
        values[name] = value
    return values


def _unsigned(raw: bytes) -> bytes:
    """The bytes without the signature, everything else untouched and in its order."""
    return b"&".join(pair for pair in raw.split(b"&") if not pair.startswith(b"signature="))


def check_window(values: Mapping[str, str], server_ms: int) -> None:
    """Refuses a request whose timestamp lies outside its window around `server_ms`."""
    timestamp = mandatory_long(values, "timestamp")
    window = mandatory_long(values, "recvWindow") if "recvWindow" in values else DEFAULT_RECV_WINDOW
    if window > MAX_RECV_WINDOW:
        raise refuse(-1131)
    if timestamp >= server_ms + MAX_AHEAD:
        raise refuse(-1021, f"Timestamp for this request was {MAX_AHEAD}ms ahead of the server's time.")
    if server_ms - timestamp > window:
        raise refuse(-1021)


def mandatory(values: Mapping[str, str], name: str) -> str:
    """The value of `name`; -1102 without it, -1105 when it is empty."""
    if name not in values:
        raise refuse(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    if not values[name]:
        raise refuse(-1105, f"Parameter '{name}' was empty.")
    return values[name]


def mandatory_long(values: Mapping[str, str], name: str) -> int:
    """The value of `name` as an integer; -1100 when it is none."""
    text = mandatory(values, name)
    if not _LONG.fullmatch(text):
        raise refuse(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)


def optional_flag(values: Mapping[str, str], name: str) -> bool:
    """A boolean that may be left out; only lower-case words count, so Python's `True` is refused."""
    if name not in values:
        return False
    if values[name] not in {"true", "false"}:
        raise refuse(-1100, f"Illegal characters found in parameter '{name}'; legal range is 'true|false'.")
    return values[name] == "true"
