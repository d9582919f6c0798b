"""Scripted faults as a client sees them on the wire."""

import gzip
import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.sandbox_client import NOON_MS, USER_ASSET, Clock, Reply, ask, send, signature

WHOLE = b'[{"asset":"BTC","free":"1.0"}]'


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """One exchange for the module, serving WHOLE."""
    with Sandbox(reply=WHOLE, clock=Clock()) as exchange:
        yield exchange


@pytest.fixture
def exchange(shared: Sandbox) -> Iterator[Sandbox]:
    """The exchange without any fault but the test's own."""
    yield shared
    shared.clear_faults()


def spoilt(exchange: Sandbox, **fault: Any) -> Reply:
    """What a client gets while one fault is in force."""
    exchange.script(Fault(**fault))
    return ask(exchange.base_url, exchange.accounts[0])


def raw_request(exchange: Sandbox) -> bytes:
    """A good request as bytes."""
    account, query = exchange.accounts[0], f"timestamp={NOON_MS}"
    target = f"{USER_ASSET}?{query}&signature={signature(account, query)}"
    return f"POST {target} HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {account.api_key}\r\n\r\n".encode()


def connect(exchange: Sandbox) -> socket.socket:
    """A connection to the exchange."""
    return socket.create_connection(("127.0.0.1", int(exchange.base_url.rpartition(":")[2])), timeout=10)


def test_a_reset_is_a_reset_on_the_wire(exchange: Sandbox) -> None:
    """A farewell (FIN) is another error than a reset (RST), and clients tell them apart."""
    exchange.script(Fault(kind="reset"))
    with connect(exchange) as connection:
        connection.sendall(raw_request(exchange))
        with pytest.raises(ConnectionResetError):
            connection.recv(1_000)
    entry = exchange.requests()[-1]
    assert (entry.status, entry.complete, entry.faults) == (None, False, ("reset",))


def test_a_reset_can_come_in_the_middle_of_a_reply(exchange: Sandbox) -> None:
    """Half a reply has arrived then, and must not be taken for one."""
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        spoilt(exchange, kind="reset_midway")
    assert exchange.requests()[-1].complete is False


def test_a_hang_ends_without_an_answer(exchange: Sandbox) -> None:
    """The client's time-out has to end it."""
    exchange.script(Fault(kind="hang", seconds=30))
    with pytest.raises(TimeoutError):
        ask(exchange.base_url, exchange.accounts[0], timeout=0.2)
    assert exchange.requests()[-1].complete is False


def test_a_short_hang_is_a_closed_connection(exchange: Sandbox) -> None:
    """A server that dies closes the connection without a word."""
    with pytest.raises(http.client.RemoteDisconnected):
        spoilt(exchange, kind="hang", seconds=0)


def test_a_half_body_is_shorter_than_promised(exchange: Sandbox) -> None:
    """The length betrays it, if the client looks."""
    with pytest.raises(http.client.IncompleteRead) as cut:
        spoilt(exchange, kind="half_body")
    assert cut.value.partial == WHOLE[:15]
    assert cut.value.expected == 15
    assert exchange.requests()[-1].complete is False


def test_truncated_json_has_a_correct_length(exchange: Sandbox) -> None:
    """Only the decoder notices this one."""
    reply = spoilt(exchange, kind="truncated")
    assert reply.status == 200
    assert reply.body == WHOLE[:15]
    assert exchange.requests()[-1].complete is True


@pytest.mark.parametrize("part", ["body", "headers"])
def test_a_drip_sends_a_byte_at_a_time(exchange: Sandbox, part: str) -> None:
    """A read time-out per byte never strikes, so the deadline has to."""
    exchange.script(Fault(kind="drip", part=part, every_ms=1))
    pieces = []
    with connect(exchange) as connection:
        connection.sendall(raw_request(exchange))
        while piece := connection.recv(1_000):
            pieces.append(piece)
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    assert body == WHOLE
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert pieces[0].endswith(b"\r\n\r\n" if part == "body" else b"HTTP/1.1 200 OK\r\n")
    assert len(pieces) > 10
    assert exchange.requests()[-1].complete is True


def test_a_drip_of_nothing_is_complete(exchange: Sandbox) -> None:
    """Faults combine freely, so an empty answer may drip."""
    exchange.script(Fault(kind="status", status=503), Fault(kind="drip", every_ms=1))
    assert ask(exchange.base_url, exchange.accounts[0]).status == 503
    assert exchange.requests()[-1].complete is True


def test_a_drip_ends_when_its_client_has_gone(exchange: Sandbox) -> None:
    """Nothing is left behind in the server, and the journal knows that it was not complete."""
    exchange.script(Fault(kind="drip", every_ms=10))
    with connect(exchange) as connection:
        connection.sendall(raw_request(exchange))
        connection.recv(1_000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.clear_faults()
    assert ask(exchange.base_url, exchange.accounts[0]).body == WHOLE
    assert [entry.complete for entry in exchange.requests()[-2:]] == [False, True]


def test_latency_delays_a_good_answer() -> None:
    """The reply shows what was held when it was made, not when it was asked for."""
    clock = Clock()
    with Sandbox(clock=clock) as exchange:
        exchange.script(Fault(kind="latency", seconds=0.3))
        threading.Timer(0.05, lambda: setattr(clock, "now_ms", NOON_MS + 2_000)).start()
        rows = ask(exchange.base_url, exchange.accounts[0], "needBtcValuation=true").json
        (entry,) = exchange.requests()
        assert (entry.arrived_ms, entry.held_ms) == (NOON_MS, NOON_MS + 2_000)
        assert rows == exchange.truth("main", NOON_MS + 2_000)
        assert rows != exchange.truth("main", NOON_MS)


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ({"kind": "status", "status": 502}, 502, b""),
        ({"kind": "status"}, 500, b""),
        ({"kind": "status", "status": 404, "body": "gone"}, 404, b"gone"),
        ({"kind": "body", "body": "[NaN]"}, 200, b"[NaN]"),
        ({"kind": "error", "code": -1021, "message": "late"}, 400, b'{"code":-1021,"msg":"late"}'),
        ({"kind": "error", "code": -2015, "status": 400, "message": ""}, 400, b'{"code":-2015,"msg":""}'),
        ({"kind": "error", "code": -77, "message": "?"}, 400, b'{"code":-77,"msg":"?"}'),
        ({"kind": "error", "message": "broken"}, 500, b'{"code":-1000,"msg":"broken"}'),
        ({"kind": "error_in_200", "code": -1003, "message": "much"}, 200, b'{"code":-1003,"msg":"much"}'),
        ({"kind": "maintenance", "message": "closed"}, 503, b'{"code":-1016,"msg":"closed"}'),
        ({"kind": "maintenance", "code": -1008, "message": "busy"}, 503, b'{"code":-1008,"msg":"busy"}'),
    ],
)
def test_an_answer_can_be_replaced(exchange: Sandbox, fault: dict[str, Any], status: int, body: bytes) -> None:
    """Each row of the error table can be provoked."""
    reply = spoilt(exchange, **fault)
    assert (reply.status, reply.body) == (status, body)
    assert exchange.requests()[-1].status == status


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, 451), (-1003, 429), (-1007, 504), (-1008, 503), (-1022, 400), (-2008, 400), (-2014, 401), (-2015, 401)],
)
def test_a_code_brings_its_usual_status(exchange: Sandbox, code: int, status: int) -> None:
    """A script need not know Binance's table by heart."""
    reply = spoilt(exchange, kind="error", code=code)
    assert reply.refusal == (status, code)
    assert reply.json["msg"]
    assert exchange.requests()[-1].code == code


@pytest.mark.parametrize("status", [200, 403, 502, 521])
def test_a_page_can_come_instead_of_data(exchange: Sandbox, status: int) -> None:
    """Firewalls and gateways answer with HTML, some with 200."""
    reply = spoilt(exchange, kind="html", status=status)
    assert (reply.status, reply.headers["Content-Type"]) == (status, "text/html")
    assert reply.body.startswith(b"<html>")


@pytest.mark.parametrize("wait", ["7", "0", "", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_retry_after_can_say_anything(exchange: Sandbox, wait: str) -> None:
    """In practice it is sometimes 0 or missing, and other servers send a date."""
    assert spoilt(exchange, kind="error", code=-1003, retry_after=wait).headers["Retry-After"] == wait


def test_retry_after_is_missing_unless_scripted(exchange: Sandbox) -> None:
    """Then the client is on its own."""
    assert spoilt(exchange, kind="error", code=-1003).headers["Retry-After"] is None


def test_a_redirect_names_its_target(exchange: Sandbox) -> None:
    """A client that followed it would send its key elsewhere."""
    reply = spoilt(exchange, kind="redirect", location="http://127.0.0.1:9/elsewhere")
    assert (reply.status, reply.headers["Location"]) == (302, "http://127.0.0.1:9/elsewhere")


def test_a_body_can_be_compressed(exchange: Sandbox) -> None:
    """Binance compresses too."""
    reply = spoilt(exchange, kind="gzip")
    assert reply.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(reply.body) == WHOLE


@pytest.mark.parametrize(("skew_ms", "word"), [(600_000, "outside of the recvWindow"), (-600_000, "ahead")])
def test_a_skewed_clock_refuses_honest_timestamps(exchange: Sandbox, skew_ms: int, word: str) -> None:
    """And its time endpoint tells the skewed time, by which a client can mend its offset."""
    reply = spoilt(exchange, kind="skew", skew_ms=skew_ms)
    assert reply.refusal == (400, -1021)
    assert word in reply.json["msg"]
    assert send(exchange.base_url, "GET", "/api/v3/time").json == {"serverTime": NOON_MS + skew_ms}
    assert ask(exchange.base_url, exchange.accounts[0], at_ms=NOON_MS + skew_ms).body == WHOLE


def test_maintenance_shows_in_the_system_status(exchange: Sandbox) -> None:
    """There a client can learn when to come back."""
    exchange.script(Fault(kind="maintenance"))
    reply = send(exchange.base_url, "GET", "/sapi/v1/system/status")
    assert json.loads(reply.body) == {"status": 1, "msg": "system_maintenance"}


def test_faults_combine(exchange: Sandbox) -> None:
    """A slow error that is cut off is three faults at once."""
    exchange.script(Fault(kind="latency", seconds=0.01), Fault(kind="error", code=-1001), Fault(kind="half_body"))
    with pytest.raises(http.client.IncompleteRead):
        ask(exchange.base_url, exchange.accounts[0])
    entry = exchange.requests()[-1]
    assert (entry.code, entry.faults) == (-1001, ("latency", "error", "half_body"))


def test_a_client_that_leaves_before_its_body_is_not_answered(exchange: Sandbox) -> None:
    """Half a request is none."""
    before = len(exchange.requests())
    with connect(exchange) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
    assert ask(exchange.base_url, exchange.accounts[0]).status == 200
    assert len(exchange.requests()) == before + 1


def test_a_hanging_request_does_not_delay_the_end() -> None:
    """Test suites end sandboxes while clients still wait."""
    with Sandbox(clock=Clock()) as exchange:
        exchange.script(Fault(kind="hang", seconds=3_600))
        connection = connect(exchange)
        connection.sendall(raw_request(exchange))
        for _ in range(1_000):
            if exchange.requests():
                break
            threading.Event().wait(0.01)
    with connection:
        assert connection.recv(1_000) == b""
