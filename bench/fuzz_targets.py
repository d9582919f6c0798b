"""What is fuzzed: documents to start from, the code that reads them, and who judges what it made of them."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from collector.binance import replies, wire
from collector.config import loading, template
from collector.config.values import Settings
from collector.domain.balances import Snapshot, plain
from collector.domain.ticks import FailReason
from collector.errors import CollectorError, ConfigError, ExchangeError, UsageError
from collector.sandbox.catalogue import coins
from collector.sandbox.holdings import TradingPortfolio
from tests.naive_wire import Texts, naive_rows

MEMORY = Path("/dev/shm")  # noqa: S108 - mkstemp makes a file of its own in it
SAMPLE = Path(__file__).parents[1] / "tests/data/sample_reply.json"


class FlawError(Exception):
    """The code under test came to a wrong result."""


class Target(Protocol):
    """Code that reads any document: it may only succeed or raise a CollectorError."""

    @property
    def seeds(self) -> Sequence[bytes]:
        """Documents to start from."""

    @property
    def tokens(self) -> Sequence[bytes]:
        """What to put into them."""

    def read(self, document: bytes) -> Any:
        """Run the code; this is what is timed. Raises CollectorError."""

    def judge(self, document: bytes, result: Any) -> str:
        """A word for the outcome (`result` may be a CollectorError). Raises FlawError."""


class Wire:
    """Replies to getUserAsset; a naive reading of the documentation judges them."""

    tokens = (
        *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\x00", b"\xff", b"-", b"+", b".", b"0", b"e"),
        *(b"E5", b"e-9", b'"free":"1",', b'"x":1,', b'"asset":"BTC",', b"null", b"NaN", b"true", b"1", b"\\u0000"),
        *(b"\\ud800", b"\\ud83d\\ude00", b"\\u00e9", b"\xc3\xa9", b"\xef\xbb\xbf", b"[" * 2000, b'{"a":' * 2000),
    )

    def __init__(self) -> None:
        one = TradingPortfolio("1/main", coins(12), trade_every_ms=1000)
        large = TradingPortfolio("2/main", coins(150), trade_every_ms=1000)
        sample = SAMPLE.read_bytes()
        grown = [{**row, "new": {"a": [1, "x\\"]}} for row in json.loads(sample)]
        snapshots = [one.reply(1_750_000_000_000 + 1000 * n, asset="", valued=True) for n in range(10)]
        self.seeds = [
            *([sample] * 4),
            *snapshots,
            one.reply(1_750_000_000_000, asset="BTC", valued=False),
            large.reply(1_750_000_000_000, asset="", valued=True),
            json.dumps(grown).encode(),
            b"[]",
            b'{"code":-1003,"msg":"Way too much request weight used; IP banned until 1659146400000."}',
            b"<html><head><title>502 Bad Gateway</title></head></html>",
        ]

    def read(self, document: bytes) -> Snapshot:
        return wire.parse_user_assets(document, btc_requested=True)

    def judge(self, document: bytes, result: Snapshot | CollectorError) -> str:
        found = texts_of(result) if isinstance(result, Snapshot) else None
        if found != naive_rows(document):
            raise FlawError(f"the naive validator says {'no ' if found is not None else ''}data, the parser otherwise")
        if isinstance(result, Snapshot):
            return "data"
        if not isinstance(result, ExchangeError) or result.reason not in set(FailReason):
            raise FlawError(f"not an error of the ledger: {result!r}")
        return result.reason


def texts_of(snapshot: Snapshot) -> Texts:
    """The amounts of a snapshot in the order in which Binance names them."""
    return {
        b.asset: (
            *(plain(amount) for amount in (b.free, b.locked, b.frozen, b.withdrawing, b.ipoable)),
            "" if b.btc_valuation is None else plain(b.btc_valuation),
        )
        for b in snapshot.balances
    }


class Config:
    """Configuration files, followed by environment variables; what is secret in them may never be told."""

    secrets = ("Kq7apiKEYapiKEY", "Sq7secretSECRET", "Pq7passPHRASE", "Dq7dataBASEpw", "MC4CAQq7")
    env = b"\n#environment\n"
    tokens = (
        *(b'"', b"'", b"\\", b"=", b"[", b"]", b"[[", b"{", b"}", b".", b"#", b"\n", b"\r", b"\x00", b"\xff", b"~"),
        *(b"[accounts.main]\n", b"[accounts.a.b]\n", b"[binance]\n", b'interval = "5m"\n', b"true", b"1e999", b"-1"),
        *(b"inf", b"nan", b"1979-05-27T07:32:00Z", b"_file", b"[" * 500, b"a." * 500, b"\nCOLLECTOR_WORKERS=4", b'""'),
        *(b"\nCOLLECTOR_ACCOUNTS__X__API_KEY=k", b"9" * 5000, "币".encode(), b"\\u0000", b"\xef\xbb\xbf", b":", b"@"),
        *(b"/", b"postgresql://", b"sqlite:///", b"://"),
    )  # fmt: skip

    def __init__(self) -> None:
        key, secret, passphrase, password, pem = self.secrets
        usual = template.template().replace("PASTE-THE-API-KEY", key).replace("PASTE-THE-SECRET-KEY", secret)
        private = f"-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----"
        several = (
            f'interval = "30s"\ndatabase = "postgresql://me:{password}@db.example.net:5432/c?sslmode=require"\n'
            f'workers = 4\n[binance]\nbase_url = "https://api.binance.com"\nheadroom = 0.1\nrecv_window_ms = 5000\n'
            f'[accounts.main]\napi_key = "{key}"\napi_secret = "{secret}"\nasset = "BTC"\n'
            f'[accounts."desk.1"]\napi_key = "{key}"\nprivate_key = """{private}"""\npassphrase = "{passphrase}"\n'
        )
        variables = f"BINANCE_API_KEY={key}\nBINANCE_API_SECRET={secret}\nCOLLECTOR_INTERVAL=1m\n"
        others = f"COLLECTOR_DATABASE=postgres://me:{password}@h/c\nCOLLECTOR_BINANCE__HEADROOM=0.5\n"
        self.seeds = [
            usual.encode(),
            several.encode(),
            self.env + (variables + others).encode(),
            several.replace("[accounts.main]", "[accounts.other]").encode() + self.env + others.encode(),
        ]
        descriptor, name = tempfile.mkstemp(suffix=".toml", dir=MEMORY if MEMORY.is_dir() else None)
        os.close(descriptor)
        weakref.finalize(self, os.unlink, name)
        self._file = Path(name)

    def read(self, document: bytes) -> Settings:
        toml, _, environ = document.partition(self.env)
        self._file.write_bytes(toml)
        return loading.load(path=self._file, environ=_variables(environ))

    def judge(self, document: bytes, result: Settings | CollectorError) -> str:
        if isinstance(result, CollectorError) and not isinstance(result, ConfigError | UsageError):
            raise FlawError(f"not an error of the configuration: {result!r}")
        said = str(result) if isinstance(result, CollectorError) else f"{result!r} {result.sources!r}"
        if isinstance(result, CollectorError) and len(said.splitlines()) != 1:
            raise FlawError(f"not one sentence: {said!r}")
        for secret in self.secrets:
            if secret in said and self._is_secret(secret, document):
                raise FlawError(f"{secret} is told: {said!r}")
        return "settings" if isinstance(result, Settings) else "refused"

    def _is_secret(self, secret: str, document: bytes) -> bool:
        """Whether it stands where a secret belongs, and nowhere else: damage may have moved it."""
        toml, _, environ = document.partition(self.env)
        places: list[tuple[str, str]] = [*_variables(environ).items()]
        with suppress(ValueError, RecursionError):
            places += _leaves(tomllib.loads(toml.decode("utf-8-sig")))
        holding = [(name, value) for name, value in places if secret in name or secret in value]
        return all(secret not in name and _belongs(name, value, secret) for name, value in holding)


def _variables(environ: bytes) -> Mapping[str, str]:
    lines = [line.partition("=") for line in environ.decode("utf-8", "surrogateescape").split("\n") if "\0" not in line]
    return {name: value for name, equals, value in lines if name and equals}


def _leaves(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield f"{path}.{name}", ""
            yield from _leaves(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", str(value)


def _belongs(name: str, value: str, secret: str) -> bool:
    key = name.lower().replace("__", ".").rpartition(".")[2].removeprefix("binance_").removeprefix("private_key_")
    if key.removeprefix("collector_") == "database":
        with suppress(ValueError):
            return secret in (urlsplit(value).password or "") and value.count(secret) == 1
        return False
    return key in {"api_key", "api_secret", "private_key", "passphrase"}


class Replies:
    """The short replies: time, status, permissions, price and errors. Values are within bounds, or it is no data."""

    tokens = (*Wire.tokens, b"9" * 20, b"9" * 5000, b"1e5", b"1659146400000", b"true", b"false", b'"', b"msg")
    seeds = (
        b'{"serverTime":1499827319559}',
        b'{"status":0,"msg":"normal"}',
        b'{"ipRestrict":false,"createTime":1698645219000,"enableReading":true,"enableWithdrawals":false}',
        b'{"symbol":"BTCUSDT","price":"4.00000200"}',
        b'{"code":-1121,"msg":"Invalid symbol."}',
        b'{"code":-1003,"msg":"Way too much request weight used; IP banned until 1659146400000."}',
    )

    def read(self, document: bytes) -> Sequence[Any]:
        parsers: tuple[Callable[[bytes], Any], ...] = (
            replies.parse_server_time,
            replies.parse_system_status,
            replies.parse_api_restrictions,
            lambda body: replies.parse_ticker_price(body, "BTCUSDT"),
            replies.parse_error,
        )
        return [_read_by(parser, document) for parser in parsers]

    def judge(self, document: bytes, result: Sequence[Any]) -> str:  # noqa: ARG002 - each value tells by itself
        moment, status, rights, price, error = result
        if moment is not None and not 0 < moment < 10**14:
            raise FlawError(f"a server time of {moment}")
        if price is not None and (not price.is_finite() or price <= 0):
            raise FlawError(f"a price of {price}")
        if error is not None and (abs(error[0]) >= 2**31 or len(error[1]) > 200 or not error[1].isprintable()):
            raise FlawError(f"an error of {error!r}")
        values = {"time": moment, "status": status, "permissions": rights, "price": price, "error": error}
        return next((word for word, value in values.items() if value is not None), "bad_reply")


def _read_by(parser: Callable[[bytes], Any], document: bytes) -> Any:
    try:
        return parser(document)
    except ExchangeError as error:
        if error.reason != FailReason.BAD_REPLY:
            raise FlawError(f"not a bad reply: {error!r}") from error
        return None


TARGETS: Mapping[str, Callable[[], Target]] = {"wire": Wire, "replies": Replies, "config": Config}
