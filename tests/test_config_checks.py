"""What each key of the configuration accepts."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from collector.config import checks

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("30s", 30), ("5m", 300), ("90m", 5400), ("1h", 3600), ("24h", 86400), ("1d", 86400)],
)
def test_an_interval_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    """The grid of ticks is built from it."""
    assert checks.interval(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "0s", "-5m", "1.5h", "2d", "25h", "86401s", "5 m", "5M", "m", "٣s", "1h30m", "9999999999s"]
)
def test_anything_else_is_no_interval(text: str) -> None:
    """A wrong interval would collect at the wrong pace for ever."""
    with pytest.raises(ValueError, match="from 1s to 1d, like 30s, 5m or 1h"):
        checks.interval(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1s"), (90, "90s"), (300, "5m"), (5400, "90m"), (7200, "2h"), (86400, "1d")]
)
def test_an_interval_is_shown_in_its_largest_unit(seconds: int, text: str) -> None:
    """What `config show` prints can be written into the file."""
    assert checks.format_interval(seconds) == text
    assert checks.interval(text) == seconds


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (checks.workers, [1, 256]),
        (checks.recv_window, [1, 60_000]),
        (checks.weight, [5, 12_000, 1_000_000]),
        (checks.headroom, [0, 0.05, 0.999]),
        (checks.asset, ["BTC", "币安人生", "1000SATS"]),
        (checks.account_name, ["main", "a", "A.b_c-9", "0" * 64]),
        (checks.token, ["abcDEF123"]),
        (checks.private_key, [PEM, PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"), PEM.replace("PRIVATE", "RSA PRIVATE")]),
    ],
)
def test_good_values_pass_unchanged(check: Callable[[Any], Any], good: list[Any]) -> None:
    """Limits include their ends."""
    assert [check(value) for value in good] == good


@pytest.mark.parametrize(
    ("check", "bad", "sentence"),
    [
        (checks.workers, 0, "must be from 1 to 256; it is 0"),
        (checks.workers, 257, "must be from 1 to 256"),
        (checks.recv_window, 60_001, "must be from 1 to 60000"),
        (checks.weight, 4, "must be from 5 to 1000000"),
        (checks.headroom, 1, "a share from 0 to below 1"),
        (checks.headroom, -0.1, "a share from 0 to below 1"),
        (checks.headroom, float("nan"), "a share from 0 to below 1"),
        (checks.log_level, "loud", "must be debug, info, warning or error; it is 'loud'"),
        (checks.asset, "A\nB", "one asset as Binance writes it"),
        (checks.asset, "A" * 201, "one asset as Binance writes it"),
        (checks.account_name, "", "up to 64 letters, digits and -_."),
        (checks.account_name, "a" * 65, "up to 64 letters"),
        (checks.account_name, "-a", "begin with a letter or digit"),
        (checks.account_name, "..", "begin with a letter or digit"),
        (checks.account_name, "a b", "up to 64 letters"),
        (checks.account_name, "ü", "up to 64 letters"),
        (checks.private_key, "-----BEGIN PUBLIC KEY-----", "PEM text of a private key"),
    ],
)
def test_values_beyond_the_limits_are_refused(check: Callable[[Any], Any], bad: object, sentence: str) -> None:
    """The sentence says what must be written instead."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        check(bad)


@pytest.mark.parametrize("text", ["with blank", "line\nfeed", "ключ", "tab\t"])
def test_a_key_that_could_not_stand_in_a_header_is_refused_without_showing_it(text: str) -> None:
    """A line end in a key would be a header of somebody else's choice."""
    with pytest.raises(ValueError, match="letters and digits without blanks") as caught:
        checks.token(text)
    assert text not in str(caught.value)


def test_log_levels_are_taken_in_any_case() -> None:
    """Other programs write them in capitals."""
    assert checks.log_level("WARNING") == "warning"


def test_a_pem_text_may_have_its_line_ends_written_as_backslash_n() -> None:
    """Environment files of containers hold one line for each variable."""
    assert checks.private_key(PEM.replace("\n", "\\n")) == PEM


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.binance.com", "https://api.binance.com"),
        ("https://API1.binance.com/", "https://api1.binance.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_a_base_url_is_a_scheme_and_a_host(text: str, url: str) -> None:
    """Paths are appended to it."""
    assert checks.base_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "api.binance.com",
        "ftp://api.binance.com",
        "https://",
        "https://user:hunter2@api.binance.com",
        "https://api.binance.com/sapi",
        "https://api.binance.com?hunter2",
        "https://api.binance.com#hunter2",
        "https://api.binance.com:hunter2",
        "https://[hunter2",
    ],
)
def test_any_other_base_url_is_refused_without_showing_it(text: str) -> None:
    """It may hold a password."""
    with pytest.raises(ValueError, match="must be https://HOST or https://HOST:PORT") as caught:
        checks.base_url(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("http://127.0.0.1.nip.io", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:  # noqa: FBT001
    """Plain http is accepted there."""
    assert checks.is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("true", bool, True),
        ("ON", bool, True),
        ("1", bool, True),
        ("no", bool, False),
        ("0", bool, False),
        (" 7 ", int, 7),
        ("0.5", float, 0.5),
        (".5", float, 0.5),
        ("1", float, 1.0),
        (" text ", str, "text"),
    ],
)
def test_text_is_converted(text: str, kind: type, value: object) -> None:
    """Flags and environment variables are text."""
    assert checks.as_type(text, kind, is_text=True) == value


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("maybe", bool, "must be true or false; it is 'maybe'"),
        ("7.5", int, "must be a whole number; it is '7.5'"),
        ("1_000", int, "must be a whole number"),
        ("nan", float, "must be a number"),
        ("1e5", float, "must be a number"),
    ],
)
def test_text_of_another_type_is_refused(text: str, kind: type, sentence: str) -> None:
    """A value that is half understood is worse than none."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        checks.as_type(text, kind, is_text=True)


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        (300, str, "must be text in quotes, not a whole number"),
        ("300", int, "must be a whole number, not text in quotes"),
        (True, int, "must be a whole number, not true or false"),
        (1.5, int, "must be a whole number, not a number"),
        ("yes", bool, "must be true or false, not text in quotes"),
        ([1], str, "must be text in quotes, not a list"),
        ({}, str, "must be text in quotes, not a table"),
        (object(), str, "must be text in quotes, not a date or time"),
    ],
)
def test_a_value_of_toml_must_have_the_type(value: object, kind: type, sentence: str) -> None:
    """TOML has types of its own; 'true' is not true."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        checks.as_type(value, kind, is_text=False)


def test_a_whole_number_is_a_number_too() -> None:
    """`headroom = 0` needs no point."""
    value = checks.as_type(0, float, is_text=False)
    assert (value, type(value)) == (0.0, float)
