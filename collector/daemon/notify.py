"""Telling the service manager how the daemon stands (sd_notify's protocol)."""

from __future__ import annotations

import logging
import socket

log = logging.getLogger(__name__)


def notify(address: str | None, state: str) -> None:
    """Send a state such as READY=1 to NOTIFY_SOCKET; nothing when there is none. Never fails: it is only news."""
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(state.encode(), target)
    except OSError as error:
        log.warning("the service manager can't be told %s: %s", state, error)
