"""Signers made from private keys in PEM files."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import quote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from collector.errors import ConfigError

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096


@dataclass(frozen=True, slots=True)
class RsaSigner:
    """RSASSA-PKCS1-v1_5 with SHA-256 in base64, percent-encoded."""

    key: RSAPrivateKey = field(repr=False)

    def sign(self, payload: bytes) -> str:
        return _base64(self.key.sign(payload, PKCS1v15(), SHA256()))


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """Pure Ed25519 in base64, percent-encoded."""

    key: Ed25519PrivateKey = field(repr=False)

    def sign(self, payload: bytes) -> str:
        return _base64(self.key.sign(payload))


def signer_of(pem: bytes, passphrase: str | None) -> RsaSigner | Ed25519Signer:
    """What `signing.load_private_key` promises."""
    key = _load(pem, passphrase)
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Signer(key)
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("the private key is neither an RSA nor an Ed25519 key: Binance takes no other")
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        allowed = f"{MIN_RSA_BITS} to {MAX_RSA_BITS}"
        raise ConfigError(f"the RSA key has {key.key_size} bits, but Binance takes {allowed}: make a new one")
    return RsaSigner(key)


def _load(pem: bytes, passphrase: str | None) -> object:
    encrypted = b"ENCRYPTED" in pem
    if encrypted and passphrase is None:
        raise ConfigError("the private key is encrypted: give its passphrase")
    if passphrase is not None and not encrypted and b"-----BEGIN" in pem:
        raise ConfigError("a passphrase is given for a private key that is not encrypted: take the passphrase away")
    try:
        return load_pem_private_key(pem, passphrase.encode() if passphrase is not None else None)
    except UnsupportedAlgorithm:
        raise ConfigError("the private key is of a kind that is not supported: Binance takes RSA and Ed25519") from None
    except (ValueError, TypeError):
        raise ConfigError(_unreadable(encrypted=encrypted)) from None


def _unreadable(*, encrypted: bool) -> str:
    if encrypted:
        return "the private key can't be decrypted: its passphrase is wrong, or the file is damaged"
    return "the private key is not a PKCS#8 PEM (-----BEGIN PRIVATE KEY-----), or it is damaged"


def _base64(signature: bytes) -> str:
    return quote(base64.b64encode(signature), safe="")
