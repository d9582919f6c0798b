"""Words for exceptions of urllib3."""

import pytest
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from collector.binance.causes import fault_behind, words_behind


def _endless() -> Exception:
    error = ProtocolError()
    error.args = (error,)
    return error


def _unknown_name() -> Exception:
    cause = OSError(-2, "Name or service not known")
    reason = NameResolutionError("host", None, cause)  # type: ignore[arg-type]
    reason.__cause__ = cause
    return _given_up(reason)


def _given_up(reason: Exception) -> Exception:
    return MaxRetryError(None, "/?signature=5ec2e7", reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (_given_up(ConnectTimeoutError("https://x?signature=5ec2e7")), "timeout", "ConnectTimeoutError"),
        (ReadTimeoutError(None, "/?signature=5ec2e7", ""), "timeout", "ReadTimeoutError"),  # type: ignore[arg-type]
        (_given_up(NewConnectionError(None, "refused")), "connection", "NewConnectionError"),  # type: ignore[arg-type]
        (_given_up(SSLError("https://x?signature=5ec2e7")), "tls", "SSLError"),
        (SSLError("https://x?signature=5ec2e7"), "tls", "SSLError"),
        (DecodeError("https://x?signature=5ec2e7"), "bad_reply", "DecodeError"),
        (_unknown_name(), "connection", "Name or service not known"),
        (_endless(), "connection", "ProtocolError"),
        (ValueError("https://x?signature=5ec2e7"), "connection", "ValueError"),
    ],
)
def test_the_root_is_told_and_the_url_is_not(error: Exception, reason: str, words: str) -> None:
    """The outermost text holds the signed URL; the innermost one what went wrong."""
    assert fault_behind(error).reason == reason
    assert words_behind(error) == words
