"""Logs on stderr: one line each, UTC, never a secret."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from collector.binance.blanks import blanked


class _Utc(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002 - logging's
        instant = datetime.fromtimestamp(record.created, UTC)
        return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"

    def format(self, record: logging.LogRecord) -> str:
        # Whatever library it came from, and in a traceback too.
        return blanked(super().format(record))


def log_to_stderr(level: str) -> None:
    """Send the program's logs to stderr from this level (debug, info, warning, error) on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Utc("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # Other libraries' debug logs hold whole requests, signatures included: they stay at warning.
    logging.getLogger("collector").setLevel(level.upper())
