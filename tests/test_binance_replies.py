"""The short replies of Binance."""

from decimal import Decimal
from functools import partial

import pytest

from collector.binance.faults import CLOCK
from collector.binance.replies import (
    ApiRestrictions,
    SystemStatus,
    error_of,
    parse_api_restrictions,
    parse_ban_end,
    parse_error,
    parse_seconds,
    parse_server_time,
    parse_system_status,
    parse_ticker_price,
)
from collector.errors import ExchangeError


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"code": -1021, "msg": "Timestamp outside"}', (-1021, "Timestamp outside")),
        (b'{"code": 0}', (0, "")),
        (b'{"code": -1, "msg": null}', (-1, "")),
        (b'{"code": -1, "msg": "a\\nb\\u0000"}', (-1, "a?b?")),
        (b'{"code": -1, "msg": "' + b"x " * 500 + b'"}', (-1, "x " * 100)),
        (b'{"code": -1, "msg": "bad ' + b"aB1%2B+/=_-" * 9 + b' IP(1.2.3.4)"}', (-1, "bad *** IP(1.2.3.4)")),
        *[
            (body, None)
            for body in (b"", b"[]", b"{}", b"<html>", b'{"code": "1"}', b'{"code": 1.5}', b'{"code": true}')
        ],
        *[
            (body, None)
            for body in (b'{"code": 99999999999}', b'{"code": null}', b'{"code": -1', b"\xff", b"[" * 100_000)
        ],
    ],
)
def test_an_error_object_is_code_and_message(body: bytes, expected: tuple[int, str] | None) -> None:
    """Whatever a server or a gateway sends, the outcome is one printable line and a code that fits a column."""
    assert parse_error(body) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Way too much request weight used; IP banned until 1659146400000. Please use WebSocket", 1659146400000),
        ("Way too many requests; IP(1.2.3.4) banned until 1659146400000.", 1659146400000),
        ("IP banned until 165914640", None),
        ("IP banned until 16591464000001", None),
        ("IP banned until tomorrow", None),
        ("", None),
    ],
)
def test_the_end_of_a_ban_stands_in_its_message(message: str, expected: int | None) -> None:
    """Retry-After is often missing with a ban."""
    assert parse_ban_end(message) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("120", 120), (" 0 ", 0), ("", None), (None, None), ("-1", None), ("1.5", None), ("soon", None), ("9" * 10, None)],
)
def test_a_header_is_a_whole_number_or_nothing(header: str | None, expected: int | None) -> None:
    """Garbage in Retry-After must not stop the daemon, nor silence it."""
    assert parse_seconds(header) == expected


def test_an_error_carries_what_binance_said() -> None:
    """The operator sees our advice, and Binance's own words behind it."""
    error = error_of(CLOCK, 400, -1021, "Timestamp outside of recvWindow")
    assert str(error) == (
        "the request's timestamp is outside of Binance's window: set the local clock"
        " (http status 400, code -1021, 'Timestamp outside of recvWindow')"
    )
    assert str(error_of(CLOCK, 400, None, "")).endswith("clock (http status 400)")
    assert (error.reason, error.http_status, error.code, error.permanent) == ("clock", 400, -1021, False)


def test_the_server_time_is_epoch_milliseconds() -> None:
    """Signing rests on it."""
    assert parse_server_time(b'{"serverTime": 1499827319559}') == 1499827319559


def test_status_1_is_maintenance() -> None:
    """A closed exchange is not a failing one."""
    assert parse_system_status(b'{"status": 0, "msg": "normal"}') == SystemStatus(maintenance=False, message="normal")
    assert parse_system_status(b'{"status": 1}') == SystemStatus(maintenance=True, message="")


def test_rights_beyond_reading_are_named() -> None:
    """The collector needs to read only; a right that is new at Binance is named too."""
    body = b"""{"ipRestrict": true, "createTime": 1698645219000, "enableReading": true, "enableWithdrawals": true,
        "enableMargin": false, "enableFixReadOnly": true,
        "enableTeleport": true, "tradingAuthorityExpirationTime": 1}"""
    assert parse_api_restrictions(body) == ApiRestrictions(
        ip_restricted=True,
        reading=True,
        rights=("enableTeleport", "enableWithdrawals"),
        created_at_ms=1698645219000,
    )
    minimal = parse_api_restrictions(b'{"ipRestrict": false, "enableReading": false}')
    assert minimal == ApiRestrictions(ip_restricted=False, reading=False, rights=(), created_at_ms=None)


def test_a_price_is_exact() -> None:
    """Values in another currency are computed from it."""
    price = parse_ticker_price(b'{"symbol":"BTCUSDT","price":"4.00000200"}', "BTCUSDT")
    assert price.as_tuple() == Decimal("4.00000200").as_tuple()


price_of_btc = partial(parse_ticker_price, symbol="BTCUSDT")
NO_TIME = "the server time lacks serverTime in epoch milliseconds"
NO_STATUS = "the system status is neither 0 nor 1"
NO_RIGHTS = "the list of permissions lacks ipRestrict or enableReading"
NO_PRICE = "the price of BTCUSDT is not there, or no decimal number above zero"


@pytest.mark.parametrize(
    ("parse", "body", "sentence"),
    [
        *[(parse_server_time, body, NO_TIME) for body in (b"{}", b'{"serverTime": "1"}', b'{"serverTime": true}')],
        *[(parse_server_time, body, NO_TIME) for body in (b'{"serverTime": 0}', b'{"serverTime": 100000000000000}')],
        (parse_server_time, b"<html>", "the server time is not a JSON object"),
        *[(parse_system_status, body, NO_STATUS) for body in (b"{}", b'{"status": 2}', b'{"status": true}')],
        (parse_system_status, b'{"status": 0, "msg": 1}', NO_STATUS),
        (parse_system_status, b"[]", "the system status is not a JSON object"),
        *[(parse_api_restrictions, body, NO_RIGHTS) for body in (b"{}", b'{"ipRestrict": true}')],
        (parse_api_restrictions, b'{"ipRestrict": 1, "enableReading": true}', NO_RIGHTS),
        (parse_api_restrictions, b"\xff", "the list of permissions is not a JSON object"),
        *[
            (price_of_btc, body, NO_PRICE)
            for body in (b"{}", b'{"symbol":"BTCUSDT"}', b'{"symbol":"BTCEUR","price":"1"}')
        ],
        *[
            (price_of_btc, b'{"symbol":"BTCUSDT","price":' + price + b"}", NO_PRICE)
            for price in (b'"0"', b'"0.00"', b"1", b'"-1"', b'"NaN"', b"null")
        ],
        (price_of_btc, b'{"symbol":', "the price is not a JSON object"),
    ],
)
def test_anything_else_is_a_bad_reply(parse: object, body: bytes, sentence: str) -> None:
    """A guessed clock, status or price would be worse than none."""
    assert callable(parse)
    with pytest.raises(ExchangeError) as raised:
        parse(body)
    assert str(raised.value) == f"the reply is not data as Binance documents it: {sentence}"
    assert raised.value.reason == "bad_reply"
