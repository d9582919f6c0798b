"""The sandbox's own check of signatures, on published examples."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from collector.errors import UsageError
from collector.sandbox.accounts import public_key_of
from collector.sandbox.parameters import read_parameters
from collector.sandbox.signature import Verifier, hmac_verifier, public_key_verifier

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "signature_vectors.json").read_text(encoding="utf-8")
)["vectors"]
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])


def verifier(vector: dict[str, Any]) -> Verifier:
    """The check that the vector's key asks for."""
    if vector["key_type"] == "hmac":
        return hmac_verifier(vector["secret"])
    return public_key_verifier(public_key_of(vector["private_key_pem"], vector.get("password")))


@each_vector
def test_a_published_signature_is_right(vector: dict[str, Any]) -> None:
    """Only Binance's own examples show that the sandbox judges as Binance does."""
    assert verifier(vector)(vector["payload"].encode(), vector["signature"])


@each_vector
def test_a_signature_of_other_bytes_is_wrong(vector: dict[str, Any]) -> None:
    """A check that accepts anything would pass every test but this one."""
    assert not verifier(vector)(vector["payload"].encode() + b"0", vector["signature"])
    assert not verifier(vector)(vector["payload"].encode(), "00" + vector["signature"][2:])
    assert not verifier(vector)(vector["payload"].encode(), "ö")


@each_vector
def test_only_hexadecimal_signatures_may_change_their_case(vector: dict[str, Any]) -> None:
    """Base64 means another number in another case; hexadecimal does not."""
    accepted = verifier(vector)(vector["payload"].encode(), vector["signature"].upper())
    assert accepted == (vector["key_type"] == "hmac")


@each_vector
def test_query_and_body_make_the_published_payload(vector: dict[str, Any]) -> None:
    """Query and body are joined without a separator, and the signature is left out wherever it stands."""
    query, body = vector.get("query", vector["payload"]).encode(), vector.get("body", "").encode()
    signed = b"signature=" + quote(vector["signature"], safe="").encode()
    behind = (query, body + b"&" + signed) if body else (query + b"&" + signed, body)
    for place in (behind, (signed + b"&" + query, body)):
        parameters = read_parameters(*place, is_form=True)
        assert parameters.payload == vector["payload"].encode()
        assert parameters.signature == vector["signature"]


def test_a_key_of_another_kind_is_refused_in_one_sentence() -> None:
    """Binance takes no elliptic-curve key either, and the user should hear of it at once."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(UsageError, match="neither RSA nor Ed25519"):
        public_key_verifier(pem)
