"""A call to Binance: signed, sent and read, again and again until it succeeds, fails for good or its deadline comes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote, unquote, urlencode

from collector.binance.faults import ABORTED, TIMEOUT, Fault, Scope, fault_for, fault_of, wait_until_ms
from collector.binance.gate import Gate, Pass
from collector.binance.replies import error_of, parse_ban_end, parse_error, parse_seconds, parse_server_time
from collector.binance.retries import next_pause_s
from collector.binance.signing import Signer, signed_query
from collector.binance.transport import Answer, Transport
from collector.domain.ticks import MissReason
from collector.errors import ConfigError, ExchangeError, NotSentError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An API key and what signs for it; neither is shown."""

    api_key: str = field(repr=False)
    signer: Signer

    def __post_init__(self) -> None:
        """Refuse a key that could not stand in a header."""
        if not self.api_key or not self.api_key.isascii() or not self.api_key.isprintable() or " " in self.api_key:
            raise ConfigError("the API key is empty or holds characters that no API key has: copy it again")

    @property
    def fingerprint(self) -> str:
        """Tells API keys apart without giving one away: a key is too random to be guessed from its hash."""
        return hashlib.sha256(self.api_key.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A request before it gets timestamp and signature, how its reply is read, and the gate that it has to pass."""

    method: str
    path: str
    read: Callable[[bytes], T]
    params: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    gate: Gate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[T]):
    """The value of a call, the answer it was read from, and how many attempts it took."""

    value: T
    answer: Answer
    attempts: int
    clock_offset_ms: int | None
    weight_used: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Offset:
    """One measurement of the server's clock minus ours, in milliseconds."""

    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The last moment of a call: on the wall clock, and on the one that nobody sets."""

    at_ms: int
    ends_at: float
    monotonic: Callable[[], float]

    def left_s(self) -> float:
        """Seconds until then, below zero when it has passed."""
        return self.ends_at - self.monotonic()


SERVER_TIME = Call(method="GET", path="/api/v3/time", read=parse_server_time)


class Caller:
    """Makes calls for any number of threads; what it was built with is told by BinanceClient."""

    def __init__(
        self,
        transport: Transport,
        *,
        recv_window_ms: int,
        max_attempts: int,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        chance: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._recv_window_ms = recv_window_ms
        self._max_attempts = max_attempts
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance
        self._offset: Offset | None = None
        self._resyncing = threading.Lock()

    def make(self, call: Call[T], deadline_ms: int) -> Done[T]:
        """Result of the first attempt that succeeds; raises ExchangeError with what is known of the last one."""
        deadline = self._deadline(deadline_ms)
        attempts = resyncs = 0
        failure: ExchangeError | None = None
        while True:
            passed = self._pass(call, deadline, failure)
            offset = self._offset
            attempts += 1
            try:
                return self._attempt(call, attempts, offset, deadline, passed)
            except ExchangeError as error:
                error.attempts, error.clock_offset_ms = attempts, offset.ms if offset else None
                fault, failure = fault_of(error), error
                self._close(call, fault, error)
                pause_s = self._pause_s(fault, attempts, resyncs, deadline)
                if pause_s is None or (fault.resync and not self._resync(offset, deadline)):
                    raise
            resyncs += fault.resync
            self._sleep(pause_s)

    def measure_offset(self, deadline_ms: int) -> int:
        """Measure the server's clock minus ours (ms) by the midpoint of a round trip; signing uses it from now on."""
        return self._keep(self.make(SERVER_TIME, deadline_ms))

    @property
    def offset_ms(self) -> int | None:
        """The last measurement; None before the first one."""
        return None if self._offset is None else self._offset.ms

    def server_ms(self) -> int:
        """Binance's clock now, as far as it is known (epoch milliseconds)."""
        return self._now_ms() + (self.offset_ms or 0)

    def _pass(self, call: Call[T], deadline: Deadline, failure: ExchangeError | None) -> Pass | None:
        """Wait until a request may leave; when none may any more, the failure before stands."""
        self._refuse_if_over(deadline, failure)
        if call.gate is None:
            return None
        passed = call.gate.enter(lambda: 0 if self._transport.aborted else deadline.left_s(), retry=failure is not None)
        if passed is None:
            self._refuse_if_over(deadline, failure)
            raise failure or NotSentError(
                "no request could leave before the deadline: the weight limit is used up, or a ban or pause holds",
                reason=MissReason.WAITING,
            )
        return passed

    def _close(self, call: Call[T], fault: Fault, error: ExchangeError) -> None:
        """Let others behind this address wait at once, those too that only pause between two attempts."""
        if call.gate is None or fault.scope is not Scope.EGRESS_IP:
            return
        now = self.server_ms()
        until = wait_until_ms(fault, now, error.retry_after_s, error.banned_until_ms, failures_in_a_row=1)
        if until is not None:
            call.gate.close_for((until - now) / 1000)

    def _attempt(
        self, call: Call[T], attempts: int, offset: Offset | None, deadline: Deadline, passed: Pass | None = None
    ) -> Done[T]:
        target, headers = self._signed(call, offset)
        answer = self._transport.send(call.method, target, headers, deadline.left_s())
        weight_used = _weight_used(answer)
        if call.gate is not None and passed is not None and weight_used is not None:
            call.gate.told(passed, weight_used)
        try:
            value = _value_of(call, answer, deadline)
        except ExchangeError as error:
            _complete(error, answer, secrets=_secrets_in(target, headers))
            raise
        return Done(
            value=value,
            answer=answer,
            attempts=attempts,
            clock_offset_ms=offset.ms if offset else None,
            weight_used=weight_used,
        )

    def _signed(self, call: Call[T], offset: Offset | None) -> tuple[str, dict[str, str]]:
        """Path and query with a fresh timestamp and signature, and the headers for it."""
        if call.credentials is None:
            return f"{call.path}?{urlencode(call.params, quote_via=quote)}" if call.params else call.path, {}
        timestamp = self._now_ms() + (offset.ms if offset else 0)
        params = (*call.params, ("recvWindow", str(self._recv_window_ms)), ("timestamp", str(timestamp)))
        return (
            f"{call.path}?{signed_query(params, call.credentials.signer)}",
            {"X-MBX-APIKEY": call.credentials.api_key},
        )

    def _deadline(self, deadline_ms: int) -> Deadline:
        left_s = (deadline_ms - self._now_ms()) / 1000
        return Deadline(at_ms=deadline_ms, ends_at=self._monotonic() + left_s, monotonic=self._monotonic)

    def _refuse_if_over(self, deadline: Deadline, failure: ExchangeError | None) -> None:
        aborted = self._transport.aborted
        if not aborted and deadline.left_s() > 0:
            return
        if failure is None:
            reason = MissReason.NOT_RUNNING if aborted else MissReason.OVERRUN
            raise NotSentError("no request left before the deadline or the end of the program", reason=reason)
        fault = ABORTED if aborted else TIMEOUT
        raise ExchangeError(fault.meaning, reason=fault.reason, attempts=failure.attempts)

    def _pause_s(self, fault: Fault, attempts: int, resyncs: int, deadline: Deadline) -> float | None:
        return next_pause_s(
            fault,
            attempts=attempts,
            max_attempts=self._max_attempts,
            resyncs=resyncs,
            left_s=deadline.left_s(),
            chance=self._chance(),
        )

    def _resync(self, used: Offset | None, deadline: Deadline) -> bool:
        """Measure once for all threads that signed with the same offset; False when there is no new measurement."""
        if not self._resyncing.acquire(timeout=max(deadline.left_s(), 0)):
            return False
        try:
            if self._offset is used:
                self._keep(self._attempt(SERVER_TIME, 1, None, deadline))
        except ExchangeError:
            return False
        else:
            return True
        finally:
            self._resyncing.release()

    def _keep(self, done: Done[int]) -> int:
        measured = Offset(done.value - (done.answer.requested_at_ms + done.answer.received_at_ms) // 2)
        self._offset = measured
        return measured.ms


def _value_of(call: Call[T], answer: Answer, deadline: Deadline) -> T:
    if answer.received_at_ms > deadline.at_ms:
        raise ExchangeError("the reply was complete only after the deadline", reason=TIMEOUT.reason)
    if answer.status == 200:
        return call.read(answer.body)
    code, message = parse_error(answer.body) or (None, "")
    fault = fault_for(answer.status, code, banned=parse_ban_end(message) is not None)
    raise error_of(fault, answer.status, code, message)


def _complete(error: ExchangeError, answer: Answer, *, secrets: list[str]) -> None:
    """Add what the answer tells; a server that echoes a secret in its message is not quoted."""
    error.requested_at_ms, error.received_at_ms = answer.requested_at_ms, answer.received_at_ms
    error.retry_after_s = parse_seconds(answer.headers.get("Retry-After"))
    error.weight_used = _weight_used(answer)
    told = str(error)
    for secret in secrets:
        told = told.replace(secret, "***")
    error.args = (told,)


def _secrets_in(target: str, headers: dict[str, str]) -> list[str]:
    signature = target.partition("&signature=")[2]
    return [secret for secret in (signature, unquote(signature), *headers.values()) if secret]


def _weight_used(answer: Answer) -> int | None:
    return parse_seconds(answer.headers.get("X-SAPI-USED-IP-WEIGHT-1M"))
