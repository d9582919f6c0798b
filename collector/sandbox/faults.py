"""Fault scripts as plain data: what shall go wrong, for whom, and when."""

from __future__ import annotations

from dataclasses import dataclass, fields

import msgspec

from collector.errors import UsageError

# What a fault does: replace the answer, spoil the way it is sent, or change its circumstances.
ANSWERS = ("error", "error_in_200", "status", "html", "body", "redirect", "maintenance")
DELIVERIES = ("reset", "reset_midway", "hang", "half_body", "drip")
CIRCUMSTANCES = ("latency", "skew", "truncated", "gzip")
KINDS = (*ANSWERS, *DELIVERIES, *CIRCUMSTANCES)
PARTS = ("headers", "body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One scripted fault; docs/sandbox.md describes the kinds and which fields each one reads.

    It concerns the requests of `account` to `path` (None: all), counted from 1 when the fault is added, from `first`
    to `last`; those that arrive from `from_s` to before `until_s` seconds after that; and of these a share of
    `probability`, drawn from `seed`.
    """

    kind: str
    account: str | None = None
    path: str | None = None
    first: int = 1
    last: int | None = None
    from_s: float = 0.0
    until_s: float | None = None
    probability: float = 1.0
    seed: int = 0
    status: int | None = None
    code: int | None = None
    message: str | None = None
    retry_after: str | None = None
    body: str | None = None
    content_type: str | None = None
    location: str = "/"
    seconds: float = 0.0
    skew_ms: int = 0
    every_ms: int = 100
    part: str = "body"

    def __post_init__(self) -> None:
        """Refuses what could never work, with one sentence."""
        for is_wrong, sentence in self._complaints():
            if is_wrong:
                raise UsageError(f"fault script: {sentence}")

    @staticmethod
    def _is_plain(*headers: str | None) -> bool:
        return all(header is None or (header.isascii() and (not header or header.isprintable())) for header in headers)

    def _complaints(self) -> tuple[tuple[bool, str], ...]:
        status = self.status
        return (
            (self.kind not in KINDS, f"there is no kind {self.kind!r}: use one of {', '.join(KINDS)}"),
            (self.first < 1, "first counts requests from 1: give a number above 0"),
            (
                self.last is not None and self.last < self.first,
                "last lies before first: give it at least the same number",
            ),
            (self.from_s < 0, "from_s lies in the past: give 0 or more seconds"),
            (self.until_s is not None and self.until_s <= self.from_s, "until_s must be later than from_s"),
            (not 0 <= self.probability <= 1, "probability must lie between 0 and 1"),
            (status is not None and not 200 <= status <= 599, "status must be an HTTP status from 200 to 599"),
            (self.seconds < 0, "seconds must be 0 or more"),
            (self.every_ms < 1, "every_ms must be 1 or more"),
            (not self._is_plain(self.retry_after, self.content_type, self.location), "a header must be plain ASCII"),
            (self.part not in PARTS, "part must be headers or body"),
        )


def fault_from(data: object) -> Fault:
    """The fault that decoded JSON describes; UsageError in one sentence for anything else."""
    if not isinstance(data, dict):
        raise UsageError("fault script: a fault must be a JSON object")
    unknown = sorted(set(data) - {field.name for field in fields(Fault)})
    if unknown:
        raise UsageError(f"fault script: unknown field {unknown[0]!r}: see docs/sandbox.md for the fields")
    try:
        return msgspec.convert(data, Fault)
    except msgspec.ValidationError as mistake:
        raise UsageError(f"fault script: {str(mistake)[:1].lower()}{str(mistake)[1:]}") from mistake
