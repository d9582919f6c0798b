"""What the service manager is told, over a real socket of its kind."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.daemon.notify import notify


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """A datagram socket such as systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(10)
        yield listening


def test_a_state_arrives_as_it_is(tmp_path: Path, manager: socket.socket) -> None:
    """READY=1 is what Type=notify waits for."""
    manager.bind(str(tmp_path / "notify"))
    notify(str(tmp_path / "notify"), "READY=1")
    assert manager.recv(100) == b"READY=1"


def test_an_abstract_address_begins_with_a_null_byte(manager: socket.socket) -> None:
    """In containers NOTIFY_SOCKET is often such an address, written with @."""
    name = f"collector-test-{os.getpid()}"
    manager.bind(f"\0{name}")
    notify(f"@{name}", "STOPPING=1")
    assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", [None, ""])
def test_without_a_manager_nothing_is_told(address: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Started by hand there is nobody to tell, and nothing to complain about."""
    notify(address, "READY=1")
    assert caplog.text == ""


@pytest.mark.parametrize("address", ["/nonexistent/notify", "/" + 200 * "x"])
def test_news_that_cannot_be_told_are_only_a_warning(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """Collecting does not hang on it; the warning says why, also where the system has no words of its own."""
    notify(address, "READY=1")
    assert "the service manager can't be told READY=1: " in caplog.text
    assert "None" not in caplog.text
