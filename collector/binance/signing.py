"""Signatures as Binance wants them, for its three types of keys.

Facts: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote


class Signer(Protocol):
    """Something that signs a request's payload; its repr shows no secret."""

    def sign(self, payload: bytes) -> str:
        """Return the signature as it goes into the URL, percent-encoded where its alphabet needs it."""


@dataclass(frozen=True, slots=True)
class HmacSigner:
    """HMAC-SHA256 in hexadecimal digits."""

    secret: str = field(repr=False)

    def sign(self, payload: bytes) -> str:
        return hmac.digest(self.secret.encode(), payload, "sha256").hex()


def signed_query(params: Iterable[tuple[str, str]], signer: Signer) -> str:
    """Percent-encode the parameters, sign exactly those bytes, put the signature last."""
    query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in params)
    return f"{query}&signature={signer.sign(query.encode())}"


def _quoted(text: str) -> str:
    # Most are letters and digits; quote() would take longer than the signature.
    return text if text.isascii() and text.isalnum() else quote(text, safe="")


def load_private_key(pem: bytes, passphrase: str | None) -> Signer:
    """Signer for a PKCS#8 PEM of an RSA or Ed25519 key, encrypted or not; an empty passphrase counts as none.

    Raises ConfigError with a sentence that lacks only whose key it is, and that holds nothing of the key.
    """
    # cryptography costs 8 MB of memory, which accounts with an HMAC key need not pay.
    from collector.binance.private_keys import signer_of  # noqa: PLC0415

    return signer_of(pem, passphrase or None)
