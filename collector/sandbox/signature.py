"""Verifies signatures by code of its own, so that the collector's signing and this can't agree on a mistake."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from collector.errors import UsageError

# (payload, signature as sent and percent-decoded) -> whether they belong together
Verifier = Callable[[bytes, str], bool]


def hmac_verifier(secret: str) -> Verifier:
    """Accepts the hex HMAC-SHA256 of the payload, in either case."""
    key = secret.encode()

    def verify(payload: bytes, signature: str) -> bool:
        expected = hmac.new(key, payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())

    return verify


def public_key_verifier(public_key_pem: str) -> Verifier:
    """Accepts the payload's base64 signature by an RSA (PKCS#1 v1.5, SHA-256) or Ed25519 key.

    UsageError for a key of another kind.
    """
    key = load_pem_public_key(public_key_pem.encode())
    if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
        raise UsageError("this public key is neither RSA nor Ed25519: give the PEM of one of these")

    def verify(payload: bytes, signature: str) -> bool:
        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(key, RSAPublicKey):
                key.verify(raw, payload, PKCS1v15(), SHA256())
            else:
                key.verify(raw, payload)
        except (binascii.Error, ValueError, InvalidSignature):
            return False
        return True

    return verify
