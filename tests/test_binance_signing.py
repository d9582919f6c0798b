"""Signatures, checked against published examples."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from collector.binance.signing import HmacSigner, Signer, load_private_key, signed_query
from collector.errors import ConfigError

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data/signature_vectors.json").read_text())[
    "vectors"
]
BY_ID = {vector["id"]: vector for vector in VECTORS}


def _signer_for(vector: dict[str, Any]) -> Signer:
    if vector["key_type"] == "hmac":
        return HmacSigner(vector["secret"])
    return load_private_key(vector["private_key_pem"].encode(), vector.get("password"))


def _pem_of(key: Any, passphrase: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return pem


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_published_signature_is_reproduced(vector: dict[str, Any]) -> None:
    """Binance computes the same bytes; any difference is error -1022."""
    expected = vector.get("signature_percent_encoded", vector["signature"])
    assert _signer_for(vector).sign(vector["payload"].encode()) == expected


def test_all_key_types_have_a_vector() -> None:
    """A vector file that lost a type would leave that type untested."""
    assert {vector["key_type"] for vector in VECTORS} == {"hmac", "rsa", "ed25519"}


def test_parameters_are_percent_encoded_before_they_are_signed() -> None:
    """Binance signs what it received, which is percent-encoded."""
    vector = BY_ID["rest-hmac-nonascii-percent-encoded"]
    query = signed_query(vector["params_unencoded"].items(), HmacSigner(vector["secret"]))
    assert query == vector["query"] + "&signature=" + vector["signature"]


def test_the_signature_is_last_in_the_query() -> None:
    """Binance cuts it off the end; anything after it would be outside of what is signed."""
    query = signed_query([("asset", "a b&c=d/é~"), ("timestamp", "1")], HmacSigner("s"))
    assert query.startswith("asset=a%20b%26c%3Dd%2F%C3%A9~&timestamp=1&signature=")
    assert [name for name, _ in parse_qsl(query)] == ["asset", "timestamp", "signature"]


def test_base64_signatures_survive_the_url() -> None:
    """Plus, slash and equals sign mean something else in a query."""
    vector = BY_ID["connector-ed25519"]
    query = signed_query([("type", "SPOT"), ("timestamp", "1685686334211")], _signer_for(vector))
    assert query == vector["payload"] + "&signature=" + vector["signature_percent_encoded"]
    assert dict(parse_qsl(query, strict_parsing=True))["signature"] == vector["signature"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_signer_shows_no_secret(vector: dict[str, Any]) -> None:
    """Signers end up in logs and tracebacks as part of other values."""
    shown = repr(_signer_for(vector))
    secret = vector.get("secret") or vector["private_key_pem"].splitlines()[1]
    assert secret not in shown
    assert shown.endswith("Signer()")


def test_an_empty_passphrase_counts_as_none() -> None:
    """An unset variable of a systemd unit or a compose file arrives as an empty text."""
    pem = BY_ID["connector-ed25519"]["private_key_pem"].encode()
    assert load_private_key(pem, "").sign(b"x") == load_private_key(pem, None).sign(b"x")


def test_a_fresh_encrypted_key_is_readable() -> None:
    """OpenSSL's and our own ways to encrypt PKCS#8 both have to work."""
    key = generate_rsa(public_exponent=65537, key_size=2048)
    plain, encrypted = load_private_key(_pem_of(key), None), load_private_key(_pem_of(key, b"secret"), "secret")
    assert plain.sign(b"x") == encrypted.sign(b"x")


def _ed25519_encrypted() -> bytes:
    pem: str = BY_ID["java-ed25519-encrypted"]["private_key_pem"]
    return pem.encode()


def _small_rsa() -> bytes:
    return _pem_of(generate_rsa(public_exponent=65537, key_size=1024))  # noqa: S505 - refused is what it shall be


def _elliptic() -> bytes:
    return _pem_of(generate_ec(SECP256R1()))


def _plain_ed25519() -> bytes:
    pem: str = BY_ID["connector-ed25519"]["private_key_pem"]
    return pem.encode()


PRIVATE = "the private key "
DAMAGED = PRIVATE + "is not a PKCS#8 PEM (-----BEGIN PRIVATE KEY-----), or it is damaged"


@pytest.mark.parametrize(
    ("pem", "passphrase", "sentence"),
    [
        (
            _ed25519_encrypted(),
            "wrong",
            PRIVATE + "can't be decrypted: its passphrase is wrong, or the file is damaged",
        ),
        (_ed25519_encrypted(), None, PRIVATE + "is encrypted: give its passphrase"),
        (
            _plain_ed25519(),
            "needless",
            "a passphrase is given for a private key that is not encrypted: take the passphrase away",
        ),
        (b"not a key at all", None, DAMAGED),
        (b"not a key at all", "passphrase", DAMAGED),
        (b"", None, DAMAGED),
        (_plain_ed25519().replace(b"MC4C", b"MC4D"), None, DAMAGED),
        (
            _small_rsa(),
            None,
            "the RSA key has 1024 bits, but Binance takes 2048 to 4096: make a new one",
        ),
        (_elliptic(), None, PRIVATE + "is neither an RSA nor an Ed25519 key: Binance takes no other"),
    ],
    ids=["wrong", "missing", "needless", "no-pem", "no-pem-passphrase", "empty", "damaged", "small", "elliptic"],
)
def test_a_useless_private_key_is_one_sentence(pem: bytes, passphrase: str | None, sentence: str) -> None:
    """The operator reads what to do; nothing of the key or of a library's words is in it."""
    with pytest.raises(ConfigError) as raised:
        load_private_key(pem, passphrase)
    assert str(raised.value) == sentence
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_key_of_an_unsupported_kind_is_one_sentence() -> None:
    """An algorithm that the library does not know is an error of its own there."""
    unknown = b"-----BEGIN PRIVATE KEY-----\nMBACAQAwBgYEKgMEBQQDYWJj\n-----END PRIVATE KEY-----\n"
    with pytest.raises(ConfigError, match=r"^the private key is of a kind that is not supported"):
        load_private_key(unknown, None)


def test_hmac_needs_no_cryptography() -> None:
    """The library costs 8 MB of memory in a daemon that lives for years."""
    program = (
        "import sys; from collector.binance.signing import HmacSigner;"
        "HmacSigner('s').sign(b''); sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
