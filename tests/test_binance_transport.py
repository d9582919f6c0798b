"""One HTTP request over real sockets: what is sent, what is refused, and what no error may hold."""

import datetime as dt
import gzip
import ipaddress
import logging
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from collector.binance.address import address_of
from collector.binance.transport import Answer, Transport
from collector.errors import ConfigError, ExchangeError
from tests.raw_server import Handler, RawServer, answering, read_head, response

MIB = 1024 * 1024


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _transport(base_url: str, read_timeout_s: float = 30) -> Transport:
    return Transport(
        address_of(base_url, allow_plain_http=True),
        connect_timeout_s=5,
        read_timeout_s=read_timeout_s,
        pool_size=2,
        user_agent="tests/1",
        now_ms=_now_ms,
    )


def _get(transport: Transport, target: str = "/", timeout_s: float = 30) -> Answer:
    return transport.send("GET", target, {}, timeout_s)


def _failure(base_url: str, timeout_s: float = 30, read_timeout_s: float = 30) -> ExchangeError:
    transport = _transport(base_url, read_timeout_s)
    try:
        with pytest.raises(ExchangeError) as raised:
            _get(transport, "/x?signature=5ec2e7", timeout_s)
    finally:
        transport.close()
    return raised.value


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """How a server uses that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def heads() -> list[str]:
    """The heads of the requests that `server` got."""
    return []


@pytest.fixture
def server(heads: list[str]) -> Iterator[RawServer]:
    """Answers [] and sets a cookie."""
    with RawServer(answering(response(b"[]", "Set-Cookie: session=1; Path=/", "X-A: b"), heads)) as server:
        yield server


def test_an_answer_holds_bytes_headers_and_times(server: RawServer) -> None:
    """Everything behind this module works on this value only."""
    transport = _transport(server.base_url)
    before = _now_ms()
    answer = _get(transport)
    transport.close()
    assert (answer.status, answer.body, answer.headers["x-a"]) == (200, b"[]", "b")
    assert before <= answer.requested_at_ms <= answer.received_at_ms <= _now_ms()


def test_one_connection_serves_many_requests(server: RawServer, heads: list[str]) -> None:
    """A new TLS connection each time would cost more than the request itself."""
    transport = _transport(server.base_url)
    for _ in range(5):
        _get(transport)
    transport.close()
    assert (len(heads), server.connections) == (5, 1)


def test_only_what_is_meant_to_be_sent_is_sent(
    server: RawServer, heads: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cookie would join accounts; .netrc and proxies of the user's shell have no business on loopback."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login l password p\ndefault login l password p\n")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    transport = _transport(server.base_url)
    for _ in range(2):
        transport.send("POST", "/p?asset=%E5%B8%81&b=~-", {"X-MBX-APIKEY": "k"}, 30)
    transport.close()
    for head in heads:
        first, *headers = head.strip().split("\r\n")
        assert first == "POST /p?asset=%E5%B8%81&b=~- HTTP/1.1"
        assert sorted(headers) == [
            "Accept-Encoding: gzip",
            "Accept: application/json",
            "Content-Length: 0",
            f"Host: 127.0.0.1:{server.port}",
            "User-Agent: tests/1",
            "X-MBX-APIKEY: k",
        ]


def test_other_hosts_are_reached_through_the_proxy_of_the_environment(
    server: RawServer, heads: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In many networks nothing else leads out; .netrc stays out of it there too."""
    (tmp_path / ".netrc").write_text("default login l password p\n")
    monkeypatch.setenv("HTTP_PROXY", server.base_url)
    transport = _transport("http://exchange.invalid")
    assert _get(transport, "/p").body == b"[]"
    transport.close()
    assert heads[0].startswith("GET http://exchange.invalid/p HTTP/1.1\r\n")
    assert "authorization" not in heads[0].lower()


def test_https_goes_through_a_tunnel_whose_refusal_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy sees the host's name only, and its password stays out of the message."""
    heads: list[str] = []
    with RawServer(answering(response(b"", status="407 No"), heads)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:passw0rd@127.0.0.1:{proxy.port}")
        error = _failure("https://exchange.invalid")
    assert heads[0].startswith("CONNECT exchange.invalid:443 ")
    assert error.reason == "connection"
    assert "passw0rd" not in str(error)


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host inside of the network is reached directly."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert _transport("https://exchange.invalid")._proxies == {"https": "http://127.0.0.1:1"}
    monkeypatch.setenv("NO_PROXY", ".invalid")
    assert not _transport("https://exchange.invalid")._proxies


def test_a_socks_proxy_keeps_its_own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """With connections of ours it would be passed by; without its package it is an error."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    assert _failure("https://exchange.invalid").reason == "connection"


def test_a_certificate_is_always_verified(tls: ssl.SSLContext, heads: list[str]) -> None:
    """A key must not reach whoever answers in Binance's place, not even on loopback."""
    with RawServer(answering(response(), heads), tls=tls) as server:
        error = _failure(server.base_url)
    assert error.reason == "tls"
    assert "self-signed certificate" in str(error) or "self signed certificate" in str(error)
    assert heads == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_of_the_environment_is_trusted(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Companies put proxies with certificates of their own into the way."""
    monkeypatch.setenv(name, str(certificate))
    with RawServer(answering(response()), tls=tls) as server:
        transport = _transport(server.base_url)
        assert _get(transport).body == b"[]"
        transport.close()


@pytest.mark.parametrize(
    "environ",
    [
        {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""},  # which switches the verification of requests off
        {"PYTHONHTTPSVERIFY": "0"},
        {"SSL_CERT_FILE": "CERTIFICATE"},
        {"SSL_CERT_DIR": "FOLDER"},
        {"NODE_TLS_REJECT_UNAUTHORIZED": "0", "GIT_SSL_NO_VERIFY": "1", "CURL_INSECURE": "1"},
        {"REQUESTS_CA_BUNDLE": "EMPTY"},
    ],
    ids=str,
)
def test_no_environment_switches_the_verification_off(
    tls: ssl.SSLContext,
    certificate: Path,
    heads: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
) -> None:
    """Such variables are set on many machines for the sake of some other program."""
    (tmp_path / "empty.pem").touch()
    meant = {"CERTIFICATE": str(certificate), "FOLDER": str(certificate.parent), "EMPTY": str(tmp_path / "empty.pem")}
    for name, value in environ.items():
        monkeypatch.setenv(name, meant.get(value, value))
    with RawServer(answering(response(), heads), tls=tls) as server:
        assert _failure(server.base_url).reason == "tls"
    assert heads == []


def test_a_ca_bundle_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check every request would fail, each with another text."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(ConfigError, match=r"^REQUESTS_CA_BUNDLE names a file that is not there"):
        _transport("https://127.0.0.1:1")


def test_a_redirect_is_not_followed(heads: list[str]) -> None:
    """The key would go wherever the answer says."""
    with RawServer(answering(response(b"", "Location: /elsewhere", status="302 Found"), heads)) as server:
        transport = _transport(server.base_url)
        assert _get(transport).status == 302
        transport.close()
    assert len(heads) == 1


def test_a_gzipped_body_is_decoded() -> None:
    """Binance compresses what asks for it."""
    with RawServer(answering(response(gzip.compress(b"[1]"), "Content-Encoding: gzip"))) as server:
        transport = _transport(server.base_url)
        assert _get(transport).body == b"[1]"
        transport.close()


def test_a_body_of_the_largest_size_is_taken() -> None:
    """The limit is 16 MiB, not a byte less."""
    with RawServer(answering(response(b" " * (16 * MIB)))) as server:
        transport = _transport(server.base_url)
        assert len(_get(transport).body) == 16 * MIB
        transport.close()


def test_a_body_beyond_the_limit_is_refused_while_it_is_read() -> None:
    """A reply without end would take all memory."""
    sent: list[int] = []

    def endless(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(200):
            connection.sendall(b" " * MIB)
            sent.append(MIB)

    with RawServer(endless) as server:
        error = _failure(server.base_url)
    assert (error.reason, len(sent) < 100) == ("bad_reply", True)
    assert str(error) == "the reply is not data as Binance documents it (it is larger than 16 MiB)"


def test_the_limit_counts_decoded_bytes() -> None:
    """A megabyte of gzip can hold a gigabyte."""
    bomb = gzip.compress(b" " * (64 * MIB))
    with RawServer(answering(response(bomb, "Content-Encoding: gzip"))) as server:
        assert "larger than 16 MiB" in str(_failure(server.base_url))


@pytest.mark.parametrize("packed", [True, False])
def test_what_is_refused_is_never_held_in_memory(*, packed: bool) -> None:
    """A body is refused while it is read: neither 400 MiB of gzip nor an endless body may end the daemon."""
    body = gzip.compress(b" " * (400 * MIB), 1) if packed else b""

    def endless(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(400):
            connection.sendall(b" " * MIB)

    gzipped = answering(response(body, "Content-Encoding: gzip"))
    with RawServer(gzipped if packed else endless) as server:
        tracemalloc.start()
        try:
            assert "larger than 16 MiB" in str(_failure(server.base_url))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 64 * MIB


def _half_a_body(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")


def _half_a_chunk(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n[")


def _reset(connection: socket.socket) -> None:
    read_head(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def _goodbye(connection: socket.socket) -> None:
    read_head(connection)


def _no_http(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def _endless_headers(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000)


def _broken_gzip(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(response(b"no gzip", "Content-Encoding: gzip"))


def _silence(connection: socket.socket) -> None:
    read_head(connection)
    connection.recv(1)


def _silence_in_the_body(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")
    connection.recv(1)


@pytest.mark.parametrize(
    ("handler", "reason", "words"),
    [
        (_half_a_body, "connection", "(IncompleteRead)"),
        (_half_a_chunk, "connection", "(IncompleteRead)"),
        (_reset, "connection", "(Connection reset by peer)"),
        (_goodbye, "connection", "(RemoteDisconnected)"),
        (_no_http, "connection", "(BadStatusLine)"),
        (_endless_headers, "connection", "(HTTPException)"),
        (_broken_gzip, "bad_reply", "(error)"),
        (_silence, "timeout", "(TimeoutError)"),
        (_silence_in_the_body, "timeout", "(TimeoutError)"),
    ],
)
def test_each_accident_has_its_reason(handler: Handler, reason: str, words: str) -> None:
    """The ledger tells a network that fails from a server that is slow, and no library's exception gets out."""
    before = _now_ms()
    with RawServer(handler) as server:
        error = _failure(server.base_url, read_timeout_s=0.3)
    assert error.reason == reason
    assert str(error).endswith(words)
    assert error.requested_at_ms is not None
    assert before <= error.requested_at_ms <= _now_ms()
    assert "5ec2e7" not in str(error)
    assert error.__cause__ is error.__context__ is None


def test_a_refused_connection_is_told_in_the_systems_words() -> None:
    """It is what the operator can look for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = _failure(f"http://127.0.0.1:{port}")
    assert error.reason == "connection"
    assert str(error) == "the connection to Binance failed: look at network and proxy (Connection refused)"


def _dripping(before: bytes, drop: bytes, finished: list[bool]) -> Handler:
    def handler(connection: socket.socket) -> None:
        connection.sendall(before)
        for _ in range(600):
            connection.sendall(drop)
            time.sleep(0.05)
        finished.append(True)

    return handler


@pytest.mark.parametrize(
    ("before", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["headers", "continue", "length", "close", "chunks"],
)
def test_a_dripping_server_is_cut_off_at_the_deadline(before: bytes, drop: bytes) -> None:
    """Each drop begins the read time-out anew: without the watchdog a tick could last for days."""
    finished: list[bool] = []
    with RawServer(_dripping(before, drop, finished)) as server:
        error = _failure(server.base_url, timeout_s=0.4)
    assert (error.reason, finished) == ("timeout", [])
    assert str(error) == "Binance did not answer in time"


def test_a_dripping_server_behind_tls_is_cut_off_too(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is the only kind of server that matters."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    finished: list[bool] = []
    with RawServer(_dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n", b" ", finished), tls=tls) as server:
        error = _failure(server.base_url, timeout_s=0.8)
    assert (error.reason, finished) == ("timeout", [])


def test_a_handshake_that_drips_is_cut_off_too() -> None:
    """TLS replaces the socket's object in the middle of it, so a duplicate of the socket is what is shut down."""
    finished: list[bool] = []
    with RawServer(_dripping(b"\x16\x03\x03\x40\x00", b"\x02", finished)) as server:
        error = _failure(f"https://127.0.0.1:{server.port}", timeout_s=0.4)
    assert (error.reason, finished) == ("timeout", [])


def _in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except ExchangeError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_abort_cuts_off_what_is_in_flight_and_refuses_what_is_begun_later() -> None:
    """SIGTERM ends the program within seconds even if Binance keeps silent."""
    arrived = threading.Event()

    def handler(connection: socket.socket) -> None:
        read_head(connection)
        arrived.set()
        connection.recv(1)

    with RawServer(handler) as server:
        transport = _transport(server.base_url)
        thread, raised = _in_thread(lambda: _get(transport))
        assert arrived.wait(30)
        transport.abort()
        thread.join(30)
        with pytest.raises(ExchangeError) as later:
            _get(transport)
        transport.close()
        assert server.connections == 1
    assert [str(error) for error in (*raised, later.value)] == [
        "the request was cut off because the program ends",
        "the request was cut off because the program ends",
    ]
    assert later.value.reason == "aborted"


def test_abort_wakes_up_who_pauses_between_attempts() -> None:
    """A back-off of seconds must not delay the end of the program."""
    transport = _transport("http://127.0.0.1:1")
    thread, _ = _in_thread(lambda: transport.pause(600))
    transport.abort()
    thread.join(30)
    assert not thread.is_alive()
    transport.close()


def test_flights_with_earlier_deadlines_are_cut_off_first() -> None:
    """A patient request must not delay the watchdog for a hasty one."""
    with RawServer(_silence) as server:
        transport = _transport(server.base_url)
        patient, patiently = _in_thread(lambda: _get(transport, timeout_s=60))
        with pytest.raises(ExchangeError, match="in time"):
            _get(transport, timeout_s=0.3)
        assert patient.is_alive()
        transport.close()
        patient.join(30)
    assert [str(error) for error in patiently] == ["the request was cut off because the program ends"]


def test_no_descriptor_is_left_behind(server: RawServer) -> None:
    """A daemon makes millions of requests, and has some thousand descriptors."""
    transport = _transport(server.base_url)
    _get(transport)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        _get(transport)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    transport.close()


def test_the_librarys_log_shows_no_signature(server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs each request line at debug level."""
    caplog.set_level(logging.DEBUG)
    transport = _transport(server.base_url)
    _get(transport, "/x?timestamp=1&signature=5ec2e7%2B")
    transport.close()
    assert "/x?timestamp=1&signature=*** HTTP/1.1" in caplog.text
    assert "5ec2e7" not in caplog.text
    assert "Starting new HTTP connection" in caplog.text


def test_what_the_library_says_of_broken_headers_shows_no_signature(caplog: pytest.LogCaptureFixture) -> None:
    """It is a warning with the whole URL, from another logger."""

    def broken(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nnonsense\r\n\r\n[]")

    with RawServer(broken) as server:
        transport = _transport(server.base_url)
        _get(transport, "/x?timestamp=1&signature=5ec2e7%2B")
        transport.close()
    assert "Failed to parse headers" in caplog.text
    assert "signature=***" in caplog.text
    assert "5ec2e7" not in caplog.text
