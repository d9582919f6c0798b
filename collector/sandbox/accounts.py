"""The sandbox's accounts: names, and API keys that follow from the seed."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from collector.sandbox.signature import Verifier, hmac_verifier, public_key_verifier

_ALPHABET = string.ascii_letters + string.digits
_KEY_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who may ask: a name, an API key, and either a secret (HMAC) or a public key (RSA, Ed25519).

    `private_key_pem` is there when the sandbox made the pair itself; the exchange never needs it.
    """

    name: str
    api_key: str
    api_secret: str = ""
    public_key_pem: str = ""
    private_key_pem: str = ""

    def verifier(self) -> Verifier:
        """The check of this account's signatures."""
        return public_key_verifier(self.public_key_pem) if self.public_key_pem else hmac_verifier(self.api_secret)


def account_names(count: int) -> list[str]:
    """`main` alone, else acct-0001, acct-0002 and so on."""
    return ["main"] if count == 1 else [f"acct-{number:04}" for number in range(1, count + 1)]


def hmac_account(name: str, *, seed: int = 1, generation: int = 0) -> Account:
    """An account whose key and secret follow from seed, name and generation (a new one is a changed key)."""
    return Account(
        name=name,
        api_key=_characters(f"{seed}/{name}/key/{generation}"),
        api_secret=_characters(f"{seed}/{name}/secret/{generation}"),
    )


def ed25519_account(name: str, *, seed: int = 1, public_key_pem: str = "") -> Account:
    """An Ed25519 account: with the public key given, or with a pair that follows from the seed."""
    if public_key_pem:
        return Account(name=name, api_key=_characters(f"{seed}/{name}/key/0"), public_key_pem=public_key_pem)
    digest = hashlib.sha256(f"{seed}/{name}/ed25519".encode()).digest()
    return _with_pair(name, seed, Ed25519PrivateKey.from_private_bytes(digest))


def rsa_account(name: str, *, seed: int = 1, public_key_pem: str = "") -> Account:
    """An RSA account: with the public key given, or with a new pair of 2048 bits (another one each time)."""
    if public_key_pem:
        return Account(name=name, api_key=_characters(f"{seed}/{name}/key/0"), public_key_pem=public_key_pem)
    return _with_pair(name, seed, rsa.generate_private_key(public_exponent=65_537, key_size=2_048))


def public_key_of(private_key_pem: str, password: str | None = None) -> str:
    """The public half of a PEM private key, as PEM: what one would register at Binance."""
    key = load_pem_private_key(private_key_pem.encode(), password.encode() if password else None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _with_pair(name: str, seed: int, key: Ed25519PrivateKey | rsa.RSAPrivateKey) -> Account:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Account(
        name=name,
        api_key=_characters(f"{seed}/{name}/key/0"),
        public_key_pem=public_key_of(private),
        private_key_pem=private,
    )


def _characters(source: str) -> str:
    """64 alphanumeric characters that follow from `source`, the look of Binance's keys."""
    digest = hashlib.shake_256(source.encode()).digest(_KEY_LENGTH)
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)
