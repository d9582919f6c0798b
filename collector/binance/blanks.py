"""What a log may not hold: the signature in the URL of a request, whoever wrote it there."""

from __future__ import annotations

import logging
import re

_SIGNATURE = re.compile(r"(signature(?:=|%3[Dd]))[^&\s\"'<>)]*")


def blanked(text: str) -> str:
    """The text with each signature as ***."""
    return _SIGNATURE.sub(r"\1***", text) if "signature" in text else text


def without_signatures(record: logging.LogRecord) -> bool:
    """A logging filter that lets every record pass, its message without signatures."""
    message = record.getMessage()
    if "signature" in message:
        record.msg, record.args = blanked(message), ()
    return True


def blank_logs_of(library: str) -> None:
    """Take signatures out of what a library logs that is imported; a filter counts for one of its loggers only."""
    names = [name for name in logging.root.manager.loggerDict if name == library or name.startswith(f"{library}.")]
    for name in (library, *names):
        logging.getLogger(name).addFilter(without_signatures)
