"""Every key of the configuration, as a table."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from collector.config import checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: its type in TOML, what it means, and its value when nobody gives one (None: see `about`).

    A secret key can also be given as the name of a file that holds it, by the same key with `_file`.
    """

    name: str
    kind: type
    check: Callable[[Any], Any]
    about: str
    default: str | int | float | bool | None = None
    secret: bool = False


PLAIN_KEYS = (
    Key(name="interval", kind=str, check=checks.interval, default="5m", about="how often every account is asked"),
    Key(name="database", kind=str, check=str, secret=True, about="where the snapshots are kept: a file or a URL"),
    Key(name="spool", kind=str, check=str, about="where replies wait while the database is away: a file"),
    Key(
        name="spool_max_mb",
        kind=int,
        check=checks.megabytes,
        default=256,
        about="how many megabytes may wait there before nothing more is asked for",
    ),
    Key(
        name="spool_min_free_mb",
        kind=int,
        check=checks.megabytes,
        default=64,
        about="how many megabytes of its disk stay free for others",
    ),
    Key(name="tz", kind=str, check=checks.time_zone, default="UTC", about="the time zone of days in reports"),
    Key(
        name="prices",
        kind=list,
        check=checks.quotes,
        about="currencies in which the price of BTC is kept with each tick",
    ),
    Key(name="log_level", kind=str, check=checks.log_level, default="info", about="how much is logged"),
    Key(
        name="workers",
        kind=int,
        check=checks.workers,
        about="threads that ask Binance: as many as accounts, at most 32",
    ),
    Key(
        name="binance.base_url",
        kind=str,
        check=checks.base_url,
        default="https://api.binance.com",
        about="the exchange",
    ),
    Key(
        name="binance.recv_window_ms",
        kind=int,
        check=checks.recv_window,
        default=5000,
        about="how long Binance accepts a signed request",
    ),
    Key(
        name="binance.weight_per_minute",
        kind=int,
        check=checks.weight,
        default=12_000,
        about="request weight that Binance allows this address in a minute",
    ),
    Key(
        name="binance.headroom",
        kind=float,
        check=checks.headroom,
        default=0.05,
        about="share of the weight that is kept free",
    ),
    Key(
        name="binance.btc_valuation",
        kind=bool,
        check=checks.flag,
        default=True,
        about="ask for each asset's value in BTC",
    ),
    Key(
        name="binance.allow_plain_http",
        kind=bool,
        check=checks.flag,
        default=False,
        about="accept http:// for other hosts than this machine",
    ),
)

ACCOUNT_KEYS = (
    Key(name="api_key", kind=str, check=checks.token, secret=True, about="the API key"),
    Key(
        name="api_secret",
        kind=str,
        check=checks.token,
        secret=True,
        about="the secret of an HMAC key; RSA and Ed25519 keys have a private_key instead",
    ),
    Key(
        name="private_key",
        kind=str,
        check=checks.private_key,
        secret=True,
        about="the private key of an RSA or Ed25519 key",
    ),
    Key(
        name="passphrase",
        kind=str,
        check=checks.passphrase,
        secret=True,
        about="the passphrase of an encrypted private key",
    ),
    Key(name="asset", kind=str, check=checks.asset, about="collect this asset only"),
    Key(name="paused", kind=bool, check=checks.flag, default=False, about="keep the account, but don't ask for it"),
)

# The single-account start: these stand for keys of the account `main`.
MAIN_ACCOUNT = "main"
MAIN_VARIABLES = {
    "BINANCE_API_KEY": "api_key",
    "BINANCE_API_SECRET": "api_secret",
    "BINANCE_PRIVATE_KEY": "private_key",
    "BINANCE_PRIVATE_KEY_PASSPHRASE": "passphrase",
}

FILE_SUFFIX = "_file"
LONGEST_TYPED = 100
"""Characters of an unknown word that are compared: more would take minutes, and nobody typed them."""


def spellings(keys: Iterable[Key]) -> list[str]:
    """The names under which these keys can be given."""
    return [spelling for key in keys for spelling in ([key.name, key.name + FILE_SUFFIX] if key.secret else [key.name])]


def split_spelling(spelling: str, keys: Iterable[Key]) -> tuple[str, bool] | None:
    """A key's name and whether the value names a file, or None for what is no key."""
    for key in keys:
        if spelling == key.name:
            return key.name, False
        if key.secret and spelling == key.name + FILE_SUFFIX:
            return key.name, True
    return None


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: what may have been meant, or what there is."""
    names = list(known)
    close = difflib.get_close_matches(word[:LONGEST_TYPED], names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(names))}"
