"""From what was written to the value it means; each ValueError says what must be written instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from collector.domain.ticks import MAX_INTERVAL_S, MIN_INTERVAL_S

LOG_LEVELS = ("debug", "info", "warning", "error")
PLACEHOLDER = "PASTE-"

MAX_QUOTES = 10

_QUOTE = re.compile(r"[A-Z0-9]{1,20}")
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def interval(text: str) -> int:
    """Seconds of an interval like 30s, 5m, 1h or 1d."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not MIN_INTERVAL_S <= seconds <= MAX_INTERVAL_S:
        raise ValueError(
            f"must be whole seconds, minutes, hours or days from 1s to 1d, like 30s, 5m or 1h; it is {text!r}"
        )
    return seconds


def format_interval(seconds: int) -> str:
    """The shortest way to write an interval: 300 is 5m, 90 is 90s."""
    unit, size = next((unit, size) for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // size}{unit}"


def log_level(text: str) -> str:
    """One of LOG_LEVELS, in any case."""
    if text.lower() not in LOG_LEVELS:
        raise ValueError(f"must be {', '.join(LOG_LEVELS[:-1])} or {LOG_LEVELS[-1]}; it is {text!r}")
    return text.lower()


def time_zone(text: str) -> str:
    """A time zone of the IANA database."""
    if text != "UTC":
        try:
            ZoneInfo(text)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"must be a time zone like Europe/Berlin or UTC; it is {text!r}") from None
    return text


def workers(number: int) -> int:
    """Number of threads."""
    return _within(number, 1, 256)


def megabytes(number: int) -> int:
    """Millions of bytes."""
    return _within(number, 1, 1_000_000)


def recv_window(number: int) -> int:
    """Milliseconds; Binance accepts at most 60000."""
    return _within(number, 1, 60_000)


def weight(number: int) -> int:
    """Weight a minute; one request for balances weighs 5."""
    return _within(number, 5, 1_000_000)


def headroom(share: float) -> float:
    """A share from 0 to below 1."""
    if not 0 <= share < 1:
        raise ValueError(f"must be a share from 0 to below 1, like 0.05; it is {share}")
    return share


def base_url(text: str) -> str:
    """Scheme and host of an exchange, without a slash at the end."""
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        host = None
    # The text itself is not shown: someone may have written a password into it.
    if (
        not host
        or url.scheme not in {"https", "http"}
        or url.path not in {"", "/"}
        or url.query
        or url.fragment
        or "@" in url.netloc
    ):
        raise ValueError("must be https://HOST or https://HOST:PORT and nothing more")
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}" + (f":{port}" if port is not None else "")


def is_loopback(url: str) -> bool:
    """True when the URL leads back to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def flag(value: bool) -> bool:  # noqa: FBT001 - every check takes the one value
    """Yes or no."""
    return value


def asset(text: str) -> str:
    """Binance's code of one asset."""
    if not text or len(text) > 200 or not text.isprintable():
        raise ValueError('must be one asset as Binance writes it, like "BTC"')
    return text


def quotes(codes: Sequence[object]) -> tuple[str, ...]:
    """Currencies in which BTC has a price at Binance."""
    words = [code for code in codes if isinstance(code, str)]
    wrong = next((word for word in words if not _QUOTE.fullmatch(word)), None)
    if len(words) < len(codes) or wrong is not None:
        told = "" if wrong is None else f"; {wrong!r} is none"
        raise ValueError(f'must be codes of currencies in capital letters and digits, like ["USDT", "EUR"]{told}')
    if len(set(words)) < len(words):
        raise ValueError("must not name a currency twice")
    if len(words) > MAX_QUOTES:
        raise ValueError(f"must name at most {MAX_QUOTES} currencies")
    return tuple(words)


def token(text: str) -> str:
    """An API key or secret: printable ASCII without blanks, so that it can stand in a header."""
    if text.startswith(PLACEHOLDER):
        raise ValueError("is still the placeholder: put the value from Binance's API management there")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("must be letters and digits without blanks, as Binance's API management shows it")
    return text


def private_key(text: str) -> str:
    """PEM text of a private key; line ends may be written as backslash n, as in environment files."""
    pem = text.replace("\\n", "\n")
    if not re.match(r"-----BEGIN [A-Z ]*PRIVATE KEY-----", pem):
        raise ValueError("must be the PEM text of a private key, which begins with -----BEGIN PRIVATE KEY-----")
    return pem


def passphrase(text: str) -> str:
    """Whatever it is."""
    return text


def account_name(text: str) -> str:
    """A name that can stand in a table, a log line, a file's name and an environment variable."""
    if not _NAME.fullmatch(text):
        raise ValueError("must be up to 64 letters, digits and -_. and begin with a letter or digit")
    return text


def as_type(value: object, kind: type, *, is_text: bool) -> object:
    """The value as `kind`; text from flags and environment variables is converted, that of TOML must have the type."""
    if is_text and isinstance(value, str):
        return _from_text(value.strip(), kind)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"must be {_TYPES[kind]}, not {_TYPES.get(type(value), 'a date or time')}")
    return value.strip() if isinstance(value, str) else value


_TYPES: dict[type, str] = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


def _from_text(text: str, kind: type) -> object:
    if kind is bool and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if kind is int and re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    if kind is float and re.fullmatch(r"[+-]?[0-9]{0,9}\.?[0-9]{1,18}", text):
        return float(text)
    if kind is str:
        return text
    if kind is list and text.lstrip().startswith("["):
        raise ValueError(f"must be separated by commas, without brackets, like USDT,EUR; it is {text!r}")
    if kind is list and text.strip().lower() == "none":  # as it is shown
        return []
    if kind is list:
        return [part.strip() for part in text.split(",")]
    raise ValueError(f"must be {_TYPES[kind]}; it is {text!r}")


def _within(number: int, low: int, high: int) -> int:
    if not low <= number <= high:
        raise ValueError(f"must be from {low} to {high}; it is {number}")
    return number
