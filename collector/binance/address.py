"""Which base URLs requests may go to."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from collector.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A base URL without a slash at its end; `encrypted` tells https from http."""

    base_url: str
    loopback: bool
    encrypted: bool


def address_of(base_url: str, *, allow_plain_http: bool) -> Address:
    """Address of a base URL, such as https://api.binance.com; plain http needs loopback or permission.

    Raises ConfigError with a sentence.
    """
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError("the base URL is not an URL: give one such as https://api.binance.com") from None
    _check(parts, host)
    address = Address(base_url=base_url.rstrip("/"), loopback=_is_loopback(host), encrypted=parts.scheme == "https")
    if address.encrypted or address.loopback or allow_plain_http:
        return address
    raise ConfigError(f"the base URL sends requests to {host} unencrypted: begin it with https://, or allow plain http")


def _check(parts: SplitResult, host: str) -> None:
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigError("the base URL must begin with https:// and name a host, such as https://api.binance.com")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("the base URL must not hold a user or a password: take them out")
    if parts.query or parts.fragment or not parts.geturl().isascii() or not parts.geturl().isprintable():
        raise ConfigError("the base URL must end after host, port and path: take the rest away")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
