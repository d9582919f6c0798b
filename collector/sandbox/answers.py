"""What the exchange answers, as a value, and Binance's error codes with their usual words."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

JSON_TYPE = "application/json;charset=UTF-8"
HTML_TYPE = "text/html"

# code -> (HTTP status, message), as Binance's error documents and users' reports give them; messages there vary.
ERRORS: dict[int, tuple[int, str]] = {
    0: (451, "Service unavailable from a restricted location according to 'b. Eligibility' in the terms of use."),
    -1000: (500, "An unknown error occurred while processing the request."),
    -1001: (500, "Internal error; unable to process your request. Please try again."),
    -1002: (401, "You are not authorized to execute this request."),
    -1003: (429, "Too much request weight used; please wait."),
    -1004: (503, "Server is busy, please wait and try again"),
    -1005: (403, "No such IP has been white listed."),
    -1006: (500, "An unexpected response was received from the message bus. Execution status unknown."),
    -1007: (504, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
    -1008: (503, "Server is currently overloaded with other requests. Please try again in a few minutes."),
    -1011: (403, "This IP cannot access this route."),
    -1016: (503, "This service is no longer available."),
    -1020: (400, "This operation is not supported."),
    -1021: (400, "Timestamp for this request is outside of the recvWindow."),
    -1022: (400, "Signature for this request is not valid."),
    -1099: (401, "Not found, authenticated, or authorized"),
    -1100: (400, "Illegal characters found in a parameter."),
    -1101: (400, "Too many parameters sent for this endpoint."),
    -1102: (400, "A mandatory parameter was not sent, was empty/null, or malformed."),
    -1105: (400, "A parameter was empty."),
    -1109: (400, "Invalid account."),
    -1121: (400, "Invalid symbol."),
    -1131: (400, "recvWindow must be less than 60000"),
    -2008: (400, "Invalid Api-Key ID."),
    -2014: (401, "API-key format invalid."),
    -2015: (401, "Invalid API-key, IP, or permissions for action."),
    -3000: (500, "Inner server error."),
    -3044: (503, "System busy, please try again later."),
    -10001: (503, "The system is under maintenance, please try again later."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; `code` is Binance's, `held_ms` the instant whose holdings it shows."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    code: int | None = None
    held_ms: int | None = None

    def with_headers(self, *headers: tuple[str, str]) -> Answer:
        """The same answer with `headers` added."""
        return replace(self, headers=self.headers + headers)


class RefusedError(Exception):
    """A request that the exchange answers with an error; `answer` is what leaves."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status, answer.code)
        self.answer = answer


def ok(value: Any) -> Answer:
    """A 200 that carries `value` as JSON."""
    return Answer(body=compact_json(value))


def error(
    code: int, message: str | None = None, *, status: int | None = None, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """Binance's error object; status and message default to the usual ones of `code`."""
    usual_status, usual_message = ERRORS.get(code, (400, "An unknown error."))
    body = compact_json({"code": code, "msg": usual_message if message is None else message})
    return Answer(status=usual_status if status is None else status, body=body, headers=headers, code=code)


def refuse(code: int, message: str | None = None) -> RefusedError:
    """The exception that makes the exchange answer with `code`."""
    return RefusedError(error(code, message))


def html(status: int, title: str) -> Answer:
    """A gateway's page."""
    head, body = f"<head><title>{title}</title></head>", f"<body><center><h1>{title}</h1></center></body>"
    page = f"<html>\r\n{head}\r\n{body}\r\n</html>\r\n"
    return Answer(status=status, body=page.encode(), content_type=HTML_TYPE)


def compact_json(value: Any) -> bytes:
    """UTF-8 without needless blanks, as Binance sends it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
