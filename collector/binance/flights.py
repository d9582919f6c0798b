"""Requests in flight, which can be cut off at their deadline by shutting down their sockets.

A read time-out of requests holds for each read from the socket: a server that sends a byte a second never meets it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from collector.binance.faults import ABORTED, TIMEOUT, Fault
from collector.errors import ExchangeError


class Flight:
    """One request in flight; `cut_by` tells why it was cut off, `sent_at_ms` when its bytes began to leave."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.cut_by: Fault | None = None
        self.sent_at_ms: int | None = None
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def follow(self, connected: socket.socket) -> None:
        """Keep a duplicate of the socket: TLS replaces the object, and http.client drops it before the body is read."""
        descriptor = os.dup(connected.fileno())
        with self._lock:
            self._release()
            self._descriptor = descriptor
            if self.cut_by is not None:
                self._shut_down()

    def leaves(self) -> None:
        """Note that the request's bytes begin to leave."""
        self.sent_at_ms = self._now_ms()

    def cut(self, fault: Fault) -> None:
        """End the request, from another thread: whoever reads from its socket or writes to it fails at once."""
        with self._lock:
            self.cut_by = self.cut_by or fault
            self._shut_down()

    def land(self) -> None:
        """Let go of the socket."""
        with self._lock:
            self._release()

    def _shut_down(self) -> None:
        if self._descriptor is None:
            return
        duplicate = socket.socket(fileno=self._descriptor)
        try:
            with suppress(OSError):  # the other side may have closed it already
                duplicate.shutdown(socket.SHUT_RDWR)
        finally:
            duplicate.detach()

    def _release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Watchdog:
    """Cuts off each flight at its deadline, in one thread that starts with the first flight."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.aborted = threading.Event()
        self._now_ms = now_ms
        self._condition = threading.Condition()
        self._deadlines: dict[Flight, float] = {}
        self._wakes_at = inf
        self._thread: threading.Thread | None = None

    @contextmanager
    def flight(self, timeout_s: float) -> Iterator[Flight]:
        """Watch over the request that this thread makes inside; raises ExchangeError (aborted) after `abort`."""
        flight = Flight(self._now_ms)
        self._add(flight, time.monotonic() + timeout_s)
        _here.flight = flight
        try:
            yield flight
        finally:
            with self._condition:
                self._deadlines.pop(flight, None)
            flight.land()

    def abort(self) -> None:
        """Cut off what is in flight now, and whatever is begun later."""
        with self._condition:
            self.aborted.set()
            for flight in self._deadlines:
                flight.cut(ABORTED)
            self._condition.notify()

    def close(self) -> None:
        """Abort, and end the thread."""
        self.abort()
        if self._thread is not None:
            self._thread.join()

    def _add(self, flight: Flight, deadline: float) -> None:
        with self._condition:
            if self.aborted.is_set():
                raise ExchangeError(ABORTED.meaning, reason=ABORTED.reason)
            self._deadlines[flight] = deadline
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="binance-watchdog", daemon=True)
                self._thread.start()
            if deadline < self._wakes_at:
                self._wakes_at = deadline
                self._condition.notify()

    def _watch(self) -> None:
        with self._condition:
            while not self.aborted.is_set():
                now = time.monotonic()
                for flight in [flight for flight, deadline in self._deadlines.items() if deadline <= now]:
                    del self._deadlines[flight]
                    flight.cut(TIMEOUT)
                self._wakes_at = min(self._deadlines.values(), default=inf)
                self._condition.wait(None if self._wakes_at == inf else self._wakes_at - now)


class _Here(threading.local):
    flight: Flight


_here = _Here()


class _WatchedConnection(HTTPConnection):
    """Tells the flight of this thread which socket it goes through."""

    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        _here.flight.follow(connected)
        return connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        _here.flight.follow(self.sock)
        _here.flight.leaves()
        super().request(*args, **kwargs)


class _WatchedTlsConnection(_WatchedConnection, HTTPSConnection):
    pass


class _WatchedPool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _WatchedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTlsConnection


POOL_CLASSES = {"http": _WatchedPool, "https": _WatchedTlsPool}
