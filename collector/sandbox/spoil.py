"""Turns the faults that meet a request into another answer."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace

from collector.sandbox.answers import Answer, error, html, ok
from collector.sandbox.faults import ANSWERS, Fault

STATUS_PATH = "/sapi/v1/system/status"
_PAGES = {200: "Just a moment...", 403: "403 Forbidden", 502: "502 Bad Gateway"}
_OK = 200


def replacement(faults: Sequence[Fault], path: str) -> Answer | None:
    """The answer that the first replacing fault gives instead of the usual one; None without such a fault."""
    fault = next((fault for fault in faults if fault.kind in ANSWERS), None)
    if fault is None:
        return None
    answer = _replacement(fault, path)
    return answer.with_headers(("Retry-After", fault.retry_after)) if fault.retry_after is not None else answer


def _replacement(fault: Fault, path: str) -> Answer:
    match fault.kind:
        case "error":
            return error(_code(fault, -1000), fault.message, status=fault.status)
        case "error_in_200":
            return error(_code(fault, -1000), fault.message, status=_OK)
        case "html":
            status = fault.status or _OK
            return html(status, _PAGES.get(status, str(status)))
        case "redirect":
            return Answer(status=fault.status or 302, headers=(("Location", fault.location),))
        case "maintenance":
            return _maintenance(fault, path)
        case _:
            return _plain(fault)


def _maintenance(fault: Fault, path: str) -> Answer:
    if path == STATUS_PATH:
        return ok({"status": 1, "msg": "system_maintenance"})
    return error(_code(fault, -1016), fault.message, status=fault.status)


def _code(fault: Fault, usual: int) -> int:
    return usual if fault.code is None else fault.code


def _plain(fault: Fault) -> Answer:
    """A bare status (500 unless given), or a body as given."""
    status = fault.status or (_OK if fault.kind == "body" else 500)
    answer = Answer(status=status, body=(fault.body or "").encode())
    return replace(answer, content_type=fault.content_type) if fault.content_type else answer


def transformed(answer: Answer, faults: Sequence[Fault]) -> Answer:
    """The answer with its body cut or compressed, as the faults demand."""
    kinds = {fault.kind for fault in faults}
    if "truncated" in kinds:
        answer = replace(answer, body=answer.body[: len(answer.body) // 2])
    if "gzip" in kinds:
        answer = replace(answer, body=gzip.compress(answer.body)).with_headers(("Content-Encoding", "gzip"))
    return answer
