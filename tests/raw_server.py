"""A server on loopback whose every byte a test decides."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Handler = Callable[[socket.socket], None]


class RawServer:
    """Runs `handler` for each connection in a thread of its own; keeps the heads of requests that `read_head` read."""

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.connections = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def base_url(self) -> str:
        """Its address, https if it speaks TLS."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Cut all connections off and wait for the handlers."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        with suppress(OSError):
            if self._tls is None:
                self.handler(connection)
            else:
                with self._tls.wrap_socket(connection, server_side=True) as encrypted:
                    self._open.append(encrypted)
                    self.handler(encrypted)
            connection.shutdown(socket.SHUT_RDWR)


def read_head(connection: socket.socket) -> str:
    """Request line and headers; empty when the client went away."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        read = connection.recv(1)
        if not read:
            return ""
        head += read
    return head.decode()


def response(body: bytes = b"[]", *headers: str, status: str = "200 OK") -> bytes:
    """A complete HTTP/1.1 response that keeps the connection open."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answering(reply: bytes, heads: list[str] | None = None) -> Handler:
    """Answers every request with the same bytes and keeps their heads."""

    def handler(connection: socket.socket) -> None:
        while head := read_head(connection):
            if heads is not None:
                heads.append(head)
            connection.sendall(reply)

    return handler
