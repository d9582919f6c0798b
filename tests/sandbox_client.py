"""A plain client for tests of the sandbox: signs by itself and speaks HTTP through the standard library."""

import base64
import hashlib
import hmac
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from collector.sandbox.accounts import Account

USER_ASSET = "/sapi/v3/asset/getUserAsset"
RESTRICTIONS = "/sapi/v1/account/apiRestrictions"
NOON_MS = 1_750_000_000_000


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now_ms: int = NOON_MS

    def __call__(self) -> int:
        """Epoch milliseconds."""
        return self.now_ms


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer as it came."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, int]:
        """HTTP status and Binance's code."""
        return self.status, self.json["code"]


def send(
    base_url: str,
    method: str,
    target: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    source_ip: str = "127.0.0.1",
    timeout: float = 10,
) -> Reply:
    """One request on a connection of its own."""
    host = base_url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=timeout, source_address=(source_ip, 0))
    try:
        connection.request(method, target, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return Reply(status=response.status, headers=response.headers, body=response.read())
    finally:
        connection.close()


def signature(account: Account, payload: str) -> str:
    """The payload's signature, as it stands in a parameter: percent-encoded."""
    if not account.private_key_pem:
        return hmac.new(account.api_secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    key = load_pem_private_key(account.private_key_pem.encode(), None)
    if isinstance(key, RSAPrivateKey):
        raw = key.sign(payload.encode(), PKCS1v15(), SHA256())
    else:
        assert isinstance(key, Ed25519PrivateKey)
        raw = key.sign(payload.encode())
    return quote(base64.b64encode(raw), safe="")


def ask(base_url: str, account: Account, parameters: str = "", *, at_ms: int = NOON_MS, **options: Any) -> Reply:
    """A well-signed getUserAsset, everything in the query; `parameters` go first, as in "asset=BTC"."""
    query = "&".join(filter(None, [parameters, f"timestamp={at_ms}"]))
    target = f"{USER_ASSET}?{query}&signature={signature(account, query)}"
    return send(base_url, "POST", target, headers={"X-MBX-APIKEY": account.api_key}, **options)
