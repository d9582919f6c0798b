"""Logs on stderr: one line each, UTC, never a secret."""

from __future__ import annotations

import logging
import time


class _Utc(logging.Formatter):
    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


def log_to_stderr(level: str) -> None:
    """Send the program's logs to stderr from this level (debug, info, warning, error) on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Utc("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # Other libraries' debug logs hold whole requests, signatures included: they stay at warning.
    logging.getLogger("collector").setLevel(level.upper())
