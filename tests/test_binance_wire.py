"""Replies to getUserAsset: what is data, and that it arrives digit for digit."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.binance.wire import parse_user_assets
from collector.domain.balances import Snapshot, plain
from collector.errors import ExchangeError
from tests.naive_wire import AMOUNTS, naive_rows

SAMPLE = (Path(__file__).parent / "data/sample_reply.json").read_bytes()
NO_TEXTS: tuple[Any, ...] = (1, 1.5, True, None, [], {})
NOT_DATA = "the reply is not data as Binance documents it: "


def _row(asset: str = "BTC", **fields: Any) -> dict[str, Any]:
    zeros = dict.fromkeys(AMOUNTS, "0")
    return {"asset": asset, **zeros, "free": "1.5", **fields}


def _body(*rows: Any) -> bytes:
    return json.dumps(rows).encode()


def _parsed(body: bytes) -> Snapshot:
    return parse_user_assets(body, btc_requested=True)


def _refusal(body: bytes) -> str:
    with pytest.raises(ExchangeError) as raised:
        _parsed(body)
    error = raised.value
    assert error.reason == "bad_reply"
    assert error.http_status == 200
    assert str(error).startswith(NOT_DATA)
    return str(error).removeprefix(NOT_DATA)


def _texts(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    return {
        b.asset: (
            *(plain(amount) for amount in (b.free, b.locked, b.frozen, b.withdrawing, b.ipoable)),
            "" if b.btc_valuation is None else plain(b.btc_valuation),
        )
        for b in snapshot.balances
    }


def test_the_documented_sample_arrives_digit_for_digit() -> None:
    """50300000001.44911105 survives neither a float nor SQLite's NUMERIC."""
    assert _texts(_parsed(SAMPLE)) == {
        "AVAX": ("1", "0", "0", "0", "0", "0"),
        "BCH": ("0.9", "0", "0", "0", "0", "0"),
        "BNB": ("887.47061626", "0", "10.52", "0.1", "0", "0"),
        "BUSD": ("9999.7", "0", "0", "0", "0", "0"),
        "SHIB": ("532.32", "0", "0", "0", "0", "0"),
        "USDT": ("50300000001.44911105", "0", "0", "0", "0", "0"),
        "WRZ": ("1", "0", "0", "0", "0", "0"),
    }


def test_an_empty_array_is_an_empty_account() -> None:
    """Holding nothing is an answer, and differs from having no answer."""
    assert _parsed(b" [ ] ") == Snapshot(balances=(), btc_requested=True)


def test_an_exponent_is_written_out_and_zeros_at_the_end_stay() -> None:
    """What is stored has to read as Binance's own page would show it."""
    snapshot = _parsed(_body(_row(free="0.50000000", locked="0E-8", freeze="1E+2", withdrawing="1.5e-7")))
    assert _texts(snapshot) == {"BTC": ("0.50000000", "0.00000000", "100", "0.00000015", "0", "0")}


def test_a_row_of_zeros_is_not_kept() -> None:
    """It says nothing: absence means zero."""
    assert _texts(_parsed(_body(_row("A", free="0.000"), _row("B"), _row("C", free="0", btcValuation="0.1")))) == {
        "B": ("1.5", "0", "0", "0", "0", "0"),
        "C": ("0", "0", "0", "0", "0", "0.1"),
    }


def test_a_valuation_that_was_not_asked_for_is_unknown() -> None:
    """Binance sends "0" then, which would read as worthless."""
    snapshot = parse_user_assets(_body(_row(btcValuation="0.7")), btc_requested=False)
    assert snapshot.balances[0].btc_valuation is None
    assert not snapshot.btc_requested


def test_one_asset_is_an_array_too() -> None:
    """The parameter `asset` changes nothing in the shape of the reply."""
    assert list(_texts(_parsed(_body(_row("BTC"))))) == ["BTC"]


@pytest.mark.parametrize(
    "name",
    [
        "币安人生",
        "456",
        "123",
        "1000SATS",
        "1INCH",
        "LDUSDT",
        "a b",
        'a"b',
        '"',
        "\\",
        "é",
        "\U0001d4b3",
        "B" * 200,
        "\u2028",
    ],
)
def test_awkward_names_are_kept_exactly(name: str) -> None:
    """Real tickers are neither ASCII nor letters only, and renaming one would join two assets."""
    ascii_body, utf8_body = _body(_row(name)), json.dumps([_row(name)], ensure_ascii=False).encode()
    assert list(_texts(_parsed(ascii_body))) == list(_texts(_parsed(utf8_body))) == [name]


@pytest.mark.parametrize("field", ['"x":"\\""', '"x\\"":"1"', '"\\"":"\\"\\""', '"\\\\":"\\\\"', '"\\\\":1'])
def test_an_escaped_quote_hides_no_field(field: str) -> None:
    """Quotes tell whether a reply has more fields than are known: an escaped one neither begins nor ends a text."""
    first, second = json.dumps(_row("\\")), json.dumps(_row("币"))
    name, _, value = field.partition(":")
    assert _parsed(f"[{first[:-1]},{field}}},{second}]".encode()).extra == {"\\": {json.loads(name): value}}


def test_a_field_is_there_twice_however_it_is_written() -> None:
    """A name that is escaped is the same name, and its second value would silently replace the first."""
    body = f'[{json.dumps(_row("BTC"))[:-1]},"\\u0066ree":"2"}}]'.encode()
    assert _refusal(body) == "an object of the reply has a field twice"


def test_names_that_differ_in_case_are_two_assets() -> None:
    """Comparison is exact, in code-point order."""
    assert list(_texts(_parsed(_body(_row("btc"), _row("BTC"), _row("Btc"))))) == ["BTC", "Btc", "btc"]


def test_unknown_fields_are_kept_as_they_were_sent() -> None:
    """Binance's replies grow: what we do not understand today may be needed tomorrow."""
    known = json.dumps(_row("BTC"))[:-1]
    body = f'[{known}, "escrow": "1.50", "n": 1.10, "deep": {{"a": [1, "\\u00e9"]}}}},{json.dumps(_row("ETH"))}]'
    snapshot = _parsed(body.encode())
    assert snapshot.extra == {"BTC": {"escrow": '"1.50"', "n": "1.10", "deep": '{"a": [1, "\\u00e9"]}'}}
    assert list(_texts(snapshot)) == ["BTC", "ETH"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        *[
            ({field: value}, f"row 2: {field} is not a plain decimal number of at most 40 digits")
            for field in AMOUNTS
            for value in ("-1", "-0", "+1", "", " 1", "NaN", "Infinity", "1e100", "0." + "0" * 40)
        ],
        *[({field: value}, f"row 2: {field} is not a text") for field in ("asset", *AMOUNTS) for value in NO_TEXTS],
        *[
            ({"asset": name}, "row 2: asset is empty, longer than 200 characters or holds a control character")
            for name in ("", "B" * 201, "A\x00", "A\n", "\x7f", "\x85")
        ],
        ({"asset": "AVAX"}, "row 2: asset is there a second time"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_one_wrong_row_refuses_the_reply(wrong: dict[str, Any], sentence: str) -> None:
    """A part of a portfolio looks like a portfolio; the sentence names row and field, never an amount."""
    assert _refusal(_body(_row("AVAX"), _row(**wrong), _row("ZEC"))) == sentence


@pytest.mark.parametrize("field", ["asset", *AMOUNTS])
def test_a_missing_field_refuses_the_reply(field: str) -> None:
    """A default would invent an amount."""
    row = _row("ETH")
    del row[field]
    assert _refusal(_body(_row("BTC"), row)) == f"row 2: {field} is missing"


@pytest.mark.parametrize("twice", ['"free": "1"', '"locked": "0"', '"asset": "BTC"', '"new": 1, "new": 1'])
def test_a_field_that_stands_twice_refuses_the_reply(twice: str) -> None:
    """Parsers differ in which of the two they believe."""
    body = f"[{json.dumps(_row())[:-1]}, {twice}}}]".encode()
    assert _refusal(body) == "an object of the reply has a field twice"


@pytest.mark.parametrize(
    "body",
    [
        *[b"", b" ", b"null", b"true", b"1", b'"BTC"', b"{}", b'{"balances": []}', b'{"code": "x"}', b'{"code": true}'],
        *[
            b"[1]",
            b"[[]]",
            b"[null]",
            b'["BTC"]',
            b"[{}",
            b"[]]",
            b"[],",
            b"[] []",
            SAMPLE[:-1],
            SAMPLE[: len(SAMPLE) // 2],
        ],
        *[b"<html><body>502 Bad Gateway</body></html>", b"\xef\xbb\xbf[]", b"\xff\xfe[\x00]\x00", b"\x00", b"[NaN]"],
        *[SAMPLE.replace(b"AVAX", b"AV\xffX"), SAMPLE.replace(b"AVAX", b"AV\\ud800X"), SAMPLE.replace(b'"1"', b"'1'")],
        *[SAMPLE.replace(b"AVAX", b"AV\x00X"), b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000],
        b"[" + json.dumps(_row()).encode()[:-1] + b', "new": NaN}]',
        b"[" + json.dumps(_row()).encode()[:-1] + b', "new": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
        b"[" + json.dumps(_row()).encode()[:-1] + b', "new": "\xff"}]',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_array_of_objects_is_no_data(body: bytes) -> None:
    """None of this may ever be stored as an empty portfolio."""
    assert _refusal(body) == "the reply is not a JSON array of objects"


@pytest.mark.parametrize(
    ("body", "reason", "code", "permanent", "banned_until_ms"),
    [
        (b'{"code": -1000, "msg": "An unknown error occurred."}', "server_error", -1000, False, None),
        (b'{"code":-1022,"msg":"Signature for this request is not valid."}', "bad_signature", -1022, True, None),
        (b'{"code":-1021}', "clock", -1021, False, None),
        (b'{"code":-1003,"msg":"IP banned until 1659146400000."}', "banned", -1003, False, 1659146400000),
        (b'{"code":-1003,"msg":null}', "rate_limited", -1003, False, None),
        (b'{"code":-77777,"msg":"new"}', "unknown_code", -77777, False, None),
    ],
)
def test_an_error_in_disguise_is_the_error_of_its_code(
    *, body: bytes, reason: str, code: int, permanent: bool, banned_until_ms: int | None
) -> None:
    """Binance sends some errors with status 200; well-known clients return them as a success."""
    with pytest.raises(ExchangeError) as raised:
        _parsed(body)
    error = raised.value
    assert (error.reason, error.code, error.permanent, error.http_status) == (reason, code, permanent, 200)
    assert error.banned_until_ms == banned_until_ms


amounts = st.from_regex(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,20})?", fullmatch=True)
names = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=200)
rows = st.fixed_dictionaries({"asset": names, **dict.fromkeys(AMOUNTS, amounts)})


@given(
    sent=st.lists(rows, max_size=8, unique_by=lambda row: row["asset"]),
    to_ascii=st.booleans(),
    with_unknown_field=st.booleans(),
)
def test_any_amounts_and_names_come_back_as_sent(
    *, sent: list[dict[str, str]], to_ascii: bool, with_unknown_field: bool
) -> None:
    """Both ways through the parser keep every digit and character, and put assets into code-point order."""
    reply = [{**row, "new": "1"} for row in sent] if with_unknown_field else sent
    snapshot = _parsed(json.dumps(reply, ensure_ascii=to_ascii).encode())
    expected = {
        row["asset"]: tuple(row[name] for name in AMOUNTS) for row in sent if any(Decimal(row[a]) for a in AMOUNTS)
    }
    assert _texts(snapshot) == expected
    assert [b.asset for b in snapshot.balances] == sorted(expected)


SEEDS = [
    SAMPLE,
    json.dumps([_row("BTC"), _row("币安人生", free="0E-8", locked="123.4500")]).encode(),
    json.dumps([{**_row("BTC"), "new": {"a": [1, "x\\"]}}], ensure_ascii=False).encode(),
    json.dumps([_row("A\\b"), _row('"')]).encode(),
    b"[]",
    b'{"code": -1000, "msg": "x"}',
]
TOKENS = [
    *[
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\n",
        b"\x00",
        b"\xff",
        b"-",
        b"+",
        b".",
        b"0",
        b"e",
        b"E5",
        b"e-9",
    ],
    *[
        b'"free":"1",',
        b'"x":1,',
        b'"asset":"BTC",',
        b"null",
        b"NaN",
        b"\\u0000",
        b"\\ud800",
        b"\\u00e9",
        b"\xc3\xa9",
        b"1",
    ],
]
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(TOKENS) | st.binary(max_size=2)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), edits)
def test_a_damaged_reply_is_judged_as_a_naive_validator_does(
    seed: bytes, changes: list[tuple[float, int, bytes]]
) -> None:
    """Two readings of the documentation that share no code have to agree on what is data, and on every digit of it."""
    body = seed
    for where, dropped, inserted in changes:
        at = int(where * len(body))
        body = body[:at] + inserted + body[at + dropped :]
    try:
        found = _texts(_parsed(body))
    except ExchangeError:
        found = None
    assert found == naive_rows(body)
