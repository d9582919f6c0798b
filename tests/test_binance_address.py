"""Base URLs: where a request and its key may go."""

import pytest

from collector.binance.address import Address, address_of
from collector.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("https://api.binance.com", False),
        ("https://api-gcp.binance.com:8443", False),
        *[
            (f"{scheme}://{host}:80", True)
            for scheme in ("http", "https")
            for host in ("127.0.0.1", "localhost", "[::1]")
        ],
        ("http://127.9.8.7", True),
        ("https://127.0.0.1.example.com", False),
        ("https://localhost.example.com", False),
    ],
)
def test_https_and_loopback_are_welcome(url: str, loopback: bool) -> None:  # noqa: FBT001
    """Loopback is the sandbox, which needs neither encryption nor proxies."""
    assert address_of(url, allow_plain_http=False) == Address(
        base_url=url, loopback=loopback, encrypted=url.startswith("https")
    )


def test_a_slash_at_the_end_is_taken_off_and_a_path_stays() -> None:
    """A reverse proxy may serve Binance below a path."""
    assert (
        address_of("https://proxy.example/binance/", allow_plain_http=False).base_url == "https://proxy.example/binance"
    )


def test_plain_http_elsewhere_needs_permission() -> None:
    """A key and the balances would travel unencrypted."""
    with pytest.raises(ConfigError) as raised:
        address_of("http://example.com", allow_plain_http=False)
    assert str(raised.value) == (
        "the base URL sends requests to example.com unencrypted: begin it with https://, or allow plain http"
    )
    assert not address_of("http://example.com", allow_plain_http=True).encrypted


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        *[(url, "must begin with https://") for url in ("", "api.binance.com", "ftp://x", "https://", "file:///x")],
        *[(url, "is not an URL") for url in ("https://[::1", "https://x:port", "https://x:99999")],
        *[(url, "must not hold a user or a password") for url in ("https://u:secret@x", "https://u@x")],
        *[(url, "must end after host, port and path") for url in ("https://x?a=1", "https://x#a", "https://x/\u00e9")],
    ],
)
def test_anything_else_is_one_sentence(url: str, sentence: str) -> None:
    """A typing error is seen at start, and a password in it is not repeated."""
    with pytest.raises(ConfigError) as raised:
        address_of(url, allow_plain_http=True)
    assert str(raised.value).startswith("the base URL " + sentence)
    assert "secret" not in str(raised.value)
