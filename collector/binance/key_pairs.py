"""New Ed25519 key pairs, as Binance takes them.

Facts: https://www.binance.com/en/support/faq/detail/6b9a63f1e3384cf48a2eedb82767a69a
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """Two PEM texts: PKCS#8, which stays here, and the public one, which Binance gets."""

    private_pem: str = field(repr=False)
    public_pem: str


def new_key_pair(passphrase: str | None = None) -> KeyPair:
    """A pair from the system's random numbers; with a passphrase the private part is encrypted."""
    key = Ed25519PrivateKey.generate()
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
    return KeyPair(
        private_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode(),
        public_pem=key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )
