"""One HTTP request: bytes and times out, or one typed error that holds no secret."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from requests.utils import get_environ_proxies
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from collector.binance.address import Address
from collector.binance.blanks import blank_logs_of
from collector.binance.causes import fault_behind, words_behind
from collector.binance.faults import BAD_REPLY, Fault
from collector.binance.flights import POOL_CLASSES, Watchdog
from collector.errors import ConfigError, ExchangeError

MAX_BODY_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: `body` is decoded; instants are epoch milliseconds of the local clock.

    `requested_at_ms` is when the request's first byte was about to leave, `received_at_ms` when the body was complete.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    requested_at_ms: int
    received_at_ms: int


class Transport:
    """The connections of all accounts, for use by many threads at once.

    Proxies and CA bundle come from the environment as requests' users expect (HTTPS_PROXY, NO_PROXY,
    REQUESTS_CA_BUNDLE), read once; loopback addresses use no proxy. Certificates are always verified. There is no
    session, so redirects are never followed, cookies never kept, and ~/.netrc is never read.
    """

    def __init__(
        self,
        address: Address,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        pool_size: int,
        user_agent: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._base_url = address.base_url
        self._timeouts = (connect_timeout_s, read_timeout_s)
        self._usual = Timeout(connect=connect_timeout_s, read=read_timeout_s)
        self._now_ms = now_ms
        self._watchdog = Watchdog(now_ms)
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        self._proxies = {} if address.loopback else get_environ_proxies(address.base_url)
        self._verify = _ca_bundle() or True
        self._adapter = _Adapter(pool_connections=2, pool_maxsize=pool_size)
        blank_logs_of("urllib3")
        blank_logs_of("requests")

    @property
    def aborted(self) -> bool:
        """True once nothing may be sent any more."""
        return self._watchdog.aborted.is_set()

    def pause(self, seconds: float) -> None:
        """Sleep; `abort` wakes it up."""
        self._watchdog.aborted.wait(seconds)

    def abort(self) -> None:
        """Cut off what is in flight and refuse what is begun later, from any thread."""
        self._watchdog.abort()

    def close(self) -> None:
        """Abort and let go of connections and thread."""
        self._watchdog.close()
        self._adapter.close()

    def send(self, method: str, target: str, headers: Mapping[str, str], timeout_s: float) -> Answer:
        """Answer with any status, complete within `timeout_s` altogether; `target` is path and query as they are sent.

        Raises ExchangeError (timeout, connection, tls, bad_reply, aborted) with `requested_at_ms`.
        """
        started_at_ms = self._now_ms()
        with self._watchdog.flight(timeout_s) as flight:
            outcome = self._try(method, target, headers, timeout_s)
        requested_at_ms = started_at_ms if flight.sent_at_ms is None else flight.sent_at_ms
        # Raised here and not where it was caught: the library's exceptions hold the signed URL.
        if flight.cut_by is not None:
            raise _error(flight.cut_by, None, requested_at_ms)
        if not isinstance(outcome, _Received):
            raise _error(outcome[0], outcome[1], requested_at_ms)
        return Answer(
            status=outcome.status,
            headers=outcome.headers,
            body=outcome.body,
            requested_at_ms=requested_at_ms,
            received_at_ms=outcome.received_at_ms,
        )

    def _try(
        self, method: str, target: str, headers: Mapping[str, str], timeout_s: float
    ) -> _Received | tuple[Fault, str]:
        try:
            return self._receive(method, target, headers, timeout_s)
        except _TooLargeError:
            return BAD_REPLY, f"it is larger than {MAX_BODY_BYTES // 1024**2} MiB"
        except (RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            return fault_behind(error), words_behind(error)

    def _receive(self, method: str, target: str, headers: Mapping[str, str], timeout_s: float) -> _Received:
        pool, prefix = self._adapter.way_to(self._base_url, verify=self._verify, proxies=self._proxies)
        response = pool.urlopen(
            method,
            prefix + target,
            headers={**self._headers, **headers},
            timeout=self._within(timeout_s),
            retries=self._adapter.max_retries,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
        )
        try:
            return _Received(response.status, response.headers, _limited_body(response), self._now_ms())
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()

    def _within(self, timeout_s: float) -> Timeout:
        connect_s, read_s = self._timeouts
        if timeout_s >= connect_s and timeout_s >= read_s:
            return self._usual
        return Timeout(connect=min(connect_s, timeout_s), read=min(read_s, timeout_s))


@dataclass(frozen=True, slots=True)
class _Received:
    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at_ms: int


class _TooLargeError(Exception):
    """A body goes on beyond the limit."""


def _limited_body(response: BaseHTTPResponse) -> bytes:
    """Body as far as the limit, which counts decoded bytes: a megabyte of gzip can hold a gigabyte."""
    body = bytearray()
    for chunk in response.stream(CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _TooLargeError
    return bytes(body)


def _ca_bundle() -> str | None:
    name = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), None)
    if name is None:
        return None
    if not Path(os.environ[name]).exists():
        raise ConfigError(f"{name} names a file that is not there: correct it or take it away")
    return os.environ[name]


class _Adapter(HTTPAdapter):
    """Finds the way to one address as requests would, once, through connections that a watchdog can cut off.

    What requests does around each request of its own takes as long as the request.
    """

    _way: tuple[Any, str] | None = None

    def way_to(self, base_url: str, *, verify: bool | str, proxies: dict[str, str]) -> tuple[Any, str]:
        """The pool of connections, and what goes before path and query: a plain proxy is told the whole URL."""
        if self._way is None:
            request = PreparedRequest()
            request.method, request.url = "GET", f"{base_url}/"
            pool = self.get_connection_with_tls_context(request, verify, proxies)
            self.cert_verify(pool, base_url, verify, None)  # type: ignore[no-untyped-call]
            self._way = pool, self.request_url(request, proxies).removesuffix("/")
        return self._way

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # whose own connections are what makes a SOCKS proxy
            manager.pool_classes_by_scheme = POOL_CLASSES
        return manager


def _error(fault: Fault, words: str | None, requested_at_ms: int) -> ExchangeError:
    told = f"{fault.meaning} ({words})" if words else fault.meaning
    return ExchangeError(told, reason=fault.reason, requested_at_ms=requested_at_ms)
