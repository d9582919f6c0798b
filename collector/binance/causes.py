"""What lies behind an exception of requests, in words that hold no URL."""

from __future__ import annotations

from requests.exceptions import ContentDecodingError, SSLError, Timeout
from urllib3.exceptions import ReadTimeoutError

from collector.binance.faults import BAD_REPLY, CONNECTION, TIMEOUT, TLS, Fault


def fault_behind(error: Exception) -> Fault:
    """Row of the table for an exception of requests."""
    if isinstance(error, SSLError):
        return TLS
    if isinstance(error, ContentDecodingError):
        return BAD_REPLY
    timed_out = isinstance(error, Timeout) or any(isinstance(e, ReadTimeoutError | TimeoutError) for e in _chain(error))
    return TIMEOUT if timed_out else CONNECTION


def words_behind(error: Exception) -> str:
    """What the system said at the root of it, such as "Connection refused": the libraries' own texts hold the URL."""
    chain = _chain(error)
    said = [e.strerror for e in chain if isinstance(e, OSError) and e.strerror]
    return said[-1] if said else type(chain[-1]).__name__


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and what it wraps, outermost first."""
    chain = [error]
    for _ in range(10):
        wrapped = (getattr(chain[-1], "reason", None), *chain[-1].args, chain[-1].__cause__)
        inner = next((e for e in wrapped if isinstance(e, BaseException)), None)
        if inner is None:
            break
        chain.append(inner)
    return chain
