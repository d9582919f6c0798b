"""Cutting off a request from another thread."""

import socket

import pytest

from collector.binance.faults import ABORTED, TIMEOUT
from collector.binance.flights import Flight, Watchdog
from collector.errors import ExchangeError


def test_a_flight_that_was_cut_off_before_it_had_a_socket_loses_it_at_once() -> None:
    """The deadline may come while the connection is being made."""
    flight = Flight(lambda: 7)
    flight.cut(TIMEOUT)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        flight.follow(ours)
        assert theirs.recv(1) == b""
    flight.land()


def test_the_first_reason_to_cut_a_flight_off_counts() -> None:
    """A tick that ran out of time did not fail because the program ends a moment later."""
    flight = Flight(lambda: 7)
    flight.cut(TIMEOUT)
    flight.cut(ABORTED)
    assert flight.cut_by is TIMEOUT


def test_a_flight_moves_to_its_last_socket_and_lets_the_former_live() -> None:
    """A kept connection belongs to the next request too."""
    flight = Flight(lambda: 7)
    former, far_end = socket.socketpair()
    ours, theirs = socket.socketpair()
    with former, far_end, ours, theirs:
        flight.follow(former)
        flight.follow(ours)
        flight.cut(TIMEOUT)
        assert theirs.recv(1) == b""
        former.sendall(b"x")
        assert far_end.recv(1) == b"x"
    flight.land()


def test_a_socket_that_the_other_side_closed_can_be_cut_off() -> None:
    """The answer and the deadline may come together."""
    flight = Flight(lambda: 7)
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    with listener, ours, theirs:
        flight.follow(ours)
        ours.shutdown(socket.SHUT_RDWR)
        theirs.close()
        flight.cut(TIMEOUT)
        flight.cut(TIMEOUT)
    flight.land()
    assert flight.cut_by is TIMEOUT


def test_a_watchdog_that_never_watched_can_be_closed() -> None:
    """A command may fail before its first request."""
    watchdog = Watchdog(lambda: 7)
    watchdog.close()
    with pytest.raises(ExchangeError, match="because the program ends"), watchdog.flight(1):
        pass
