"""A start that SIGTERM or SIGINT ends at once, whatever it waits for."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn


class StoppedEarlyError(BaseException):
    """A signal came while the daemon was starting; no `except Exception` on the way may take it for an error."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise StoppedEarlyError at the first signal, unless somebody else handles them by then."""
    _handle(_stop)
    with _main_thread_woken():
        yield


def _handle(handler: Callable[..., object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _stop(*_: object) -> NoReturn:
    _handle(lambda *_: None)  # it is ending already
    raise StoppedEarlyError


@contextmanager
def _main_thread_woken() -> Iterator[None]:
    """Hand each signal to the main thread, where Python runs handlers.

    The system may give it to any thread, and the main one then goes on waiting for an answer that does not come.
    """
    heard, told = socket.socketpair()
    with heard, told:
        told.settimeout(0)  # as a handler's socket has to be
        before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        waker = threading.Thread(target=_wake, args=(heard,), name="signals", daemon=True)
        waker.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            told.shutdown(socket.SHUT_WR)
            waker.join()


def _wake(heard: socket.socket) -> None:
    """Once for each signal that still has to end the start: one that is handled would come back for ever."""
    main = threading.main_thread().ident
    while numbers := heard.recv(100):
        if main is not None and signal.getsignal(numbers[0]) is _stop:
            signal.pthread_kill(main, numbers[0])
