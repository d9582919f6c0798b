"""Words for exceptions of requests."""

import pytest
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, SSLError
from urllib3.exceptions import MaxRetryError, NameResolutionError

from collector.binance.causes import fault_behind, words_behind


def _endless() -> Exception:
    error = RequestsConnectionError()
    error.args = (error,)
    return error


def _unknown_name() -> Exception:
    cause = OSError(-2, "Name or service not known")
    reason = NameResolutionError("host", None, cause)  # type: ignore[arg-type]
    reason.__cause__ = cause
    return RequestsConnectionError(MaxRetryError(None, "/?signature=5ec2e7", reason))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (ConnectTimeout("https://x?signature=5ec2e7"), "timeout", "ConnectTimeout"),
        (SSLError("https://x?signature=5ec2e7"), "tls", "SSLError"),
        (_unknown_name(), "connection", "Name or service not known"),
        (_endless(), "connection", "ConnectionError"),
        (ValueError("https://x?signature=5ec2e7"), "connection", "ValueError"),
    ],
)
def test_the_root_is_told_and_the_url_is_not(error: Exception, reason: str, words: str) -> None:
    """The outermost text holds the signed URL; the innermost one what went wrong."""
    assert fault_behind(error).reason == reason
    assert words_behind(error) == words
