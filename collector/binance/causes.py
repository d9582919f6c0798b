"""What lies behind an exception of urllib3, in words that hold no URL."""

from __future__ import annotations

from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from collector.binance.faults import BAD_REPLY, CONNECTION, TIMEOUT, TLS, Fault


def fault_behind(error: Exception) -> Fault:
    """Row of the table for an exception of urllib3, or of http.client or the system beneath it."""
    cause = error.reason if isinstance(error, MaxRetryError) else error
    if isinstance(cause, SSLError):
        return TLS
    if isinstance(cause, DecodeError):
        return BAD_REPLY
    timed_out = any(_is_timeout(e) for e in _chain(error))
    return TIMEOUT if timed_out else CONNECTION


def _is_timeout(error: BaseException) -> bool:
    # A connection that was refused counts as one that timed out in urllib3.
    late = isinstance(error, ConnectTimeoutError | ReadTimeoutError | TimeoutError)
    return late and not isinstance(error, NewConnectionError)


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
