"""What each failure of a request means, with what to do about it, as data.

Codes: https://developers.binance.com/docs/binance-spot-api-docs/errors (stable; messages vary), wallet error codes:
https://developers.binance.com/docs/wallet/error-code
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from collector.domain.ticks import FailReason
from collector.errors import ExchangeError

MINUTE_MS = 60_000
# The longest ban that Binance documents. A later end is garbage, which must not silence us for years.
LONGEST_WAIT_MS = 3 * 24 * 60 * MINUTE_MS


class Wait(StrEnum):
    """How long to keep quiet after a failed tick."""

    NONE = "none"
    LIMIT = "limit"  # until the next minute begins, or as Retry-After says
    BAN = "ban"  # until the ban ends, by its message or by Retry-After
    FIREWALL = "firewall"  # five minutes at least
    BACK_OFF = "back_off"  # minutes, twice as many after each further failure


class Scope(StrEnum):
    """Who keeps quiet."""

    EGRESS_IP = "egress_ip"  # every account behind this address
    ACCOUNT = "account"


class Stop(StrEnum):
    """When the account is halted until its owner mends it."""

    NEVER = "never"
    AT_ONCE = "at_once"
    AFTER_THREE = "after_three"  # the third failed tick in a row with this fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of the table: `meaning` is a sentence for log and alert.

    `retry`: may be tried again within the tick. `resync`: measure the clock first, and then try once only.
    `permanent`: only the account's owner can mend it.
    """

    meaning: str
    reason: FailReason
    retry: bool = False
    resync: bool = False
    wait: Wait = Wait.NONE
    scope: Scope = Scope.ACCOUNT
    stop: Stop = Stop.NEVER
    alert: bool = False
    permanent: bool = False


TIMEOUT = Fault(meaning="Binance did not answer in time", reason=FailReason.TIMEOUT, retry=True)
CONNECTION = Fault(
    meaning="the connection to Binance failed: look at network and proxy", reason=FailReason.CONNECTION, retry=True
)
TLS = Fault(
    meaning="no trusted TLS connection to Binance: look at the local clock, the CA bundle and proxies",
    reason=FailReason.TLS,
    retry=True,
)
SERVER_ERROR = Fault(meaning="Binance failed on its side", reason=FailReason.SERVER_ERROR, retry=True)
BAD_REPLY = Fault(meaning="the reply is not data as Binance documents it", reason=FailReason.BAD_REPLY, retry=True)
REDIRECT = Fault(
    meaning="the host redirects elsewhere, which is never followed: correct the base URL, or look for a captive portal",
    reason=FailReason.BAD_REPLY,
    alert=True,
)
CLOCK = Fault(
    meaning="the request's timestamp is outside of Binance's window: set the local clock",
    reason=FailReason.CLOCK,
    retry=True,
    resync=True,
    alert=True,
)
RATE_LIMITED = Fault(
    meaning="too many requests from this IP address: every account behind it waits",
    reason=FailReason.RATE_LIMITED,
    wait=Wait.LIMIT,
    scope=Scope.EGRESS_IP,
)
BANNED = Fault(
    meaning="Binance has banned this IP address for a while: every account behind it waits",
    reason=FailReason.BANNED,
    wait=Wait.BAN,
    scope=Scope.EGRESS_IP,
    alert=True,
)
FIREWALL = Fault(
    meaning="Binance's firewall refuses this IP address or place: requests pause",
    reason=FailReason.FIREWALL,
    wait=Wait.FIREWALL,
    scope=Scope.EGRESS_IP,
    alert=True,
)
BUSY = Fault(
    meaning="Binance is overloaded: requests pause for minutes",
    reason=FailReason.BUSY,
    wait=Wait.BACK_OFF,
    scope=Scope.EGRESS_IP,
)
MAINTENANCE = Fault(
    meaning="Binance is closed for maintenance: requests pause for minutes",
    reason=FailReason.MAINTENANCE,
    wait=Wait.BACK_OFF,
    scope=Scope.EGRESS_IP,
)
BAD_SIGNATURE = Fault(
    meaning="Binance finds the signature wrong: give the secret or private key that belongs to this API key",
    reason=FailReason.BAD_SIGNATURE,
    stop=Stop.AT_ONCE,
    alert=True,
    permanent=True,
)
KEY_REJECTED = Fault(
    meaning="Binance refuses the API key for this request: look at the key and its permissions",
    reason=FailReason.KEY_REJECTED,
    stop=Stop.AT_ONCE,
    alert=True,
    permanent=True,
)
RESTRICTED_PLACE = Fault(
    meaning="Binance does not serve the place that this machine's requests come from",
    reason=FailReason.KEY_REJECTED,
    stop=Stop.AT_ONCE,
    alert=True,
    permanent=True,
)
KEY_OR_ADDRESS = Fault(
    meaning="Binance refuses API key, IP address or permission: look at the key's IP list and whether it may read",
    reason=FailReason.KEY_REJECTED,
    stop=Stop.AFTER_THREE,
    alert=True,
    permanent=True,
)
NOT_FOUND = Fault(
    meaning="the host does not know the address asked for: use one that serves /sapi, such as https://api.binance.com",
    reason=FailReason.SERVER_ERROR,
    stop=Stop.AFTER_THREE,
    alert=True,
)
BAD_PARAMETER = Fault(
    meaning="Binance finds a parameter wrong: look at the account's settings and at `prices`, or report a bug",
    reason=FailReason.BAD_PARAMETER,
    stop=Stop.AT_ONCE,
    alert=True,
    permanent=True,
)
UNKNOWN_CODE = Fault(
    meaning="Binance answered with an error code that is not known here",
    reason=FailReason.UNKNOWN_CODE,
    retry=True,
    stop=Stop.AFTER_THREE,
    alert=True,
)
ABORTED = Fault(meaning="the request was cut off because the program ends", reason=FailReason.ABORTED)

BY_CODE = (
    dict.fromkeys(range(-1131, -1099), BAD_PARAMETER)
    | dict.fromkeys((-1000, -1001, -1006, -1007, -3000, -3044), SERVER_ERROR)
    | dict.fromkeys((-1002, -1005, -1011, -1020, -1099, -1109, -2008, -2014), KEY_REJECTED)
    | dict.fromkeys((-1004, -1008), BUSY)
    | dict.fromkeys((-1016, -10001), MAINTENANCE)
    | {-1003: RATE_LIMITED, -1021: CLOCK, -1022: BAD_SIGNATURE, -2015: KEY_OR_ADDRESS}
)

BY_REASON = {fault.reason: fault for fault in (TIMEOUT, CONNECTION, TLS, BAD_REPLY, MAINTENANCE, ABORTED)}


def fault_for(http_status: int, code: int | None, *, banned: bool = False) -> Fault:
    """Row for an answer that brought no data; `code` is None when its body is no error object.

    `banned` says that the message names the end of a ban, which turns a passed limit into a ban whatever the status.
    """
    fault = _by_status(http_status) or BY_CODE.get(code or 0) or _without_known_code(http_status, code)
    return BANNED if banned and fault is RATE_LIMITED else fault


def fault_of(error: ExchangeError) -> Fault:
    """Row for an error that this package raised."""
    if error.http_status is None:
        return BY_REASON[FailReason(error.reason)]
    return fault_for(error.http_status, error.code, banned=error.banned_until_ms is not None)


def _by_status(http_status: int) -> Fault | None:
    return {418: BANNED, 429: RATE_LIMITED, 451: RESTRICTED_PLACE}.get(http_status)


def _without_known_code(http_status: int, code: int | None) -> Fault:
    if http_status >= 500:
        return SERVER_ERROR
    if http_status == 404:
        return NOT_FOUND
    if code is not None:
        return UNKNOWN_CODE
    if http_status == 403:
        return FIREWALL
    return REDIRECT if 300 <= http_status < 400 else BAD_REPLY


def wait_until_ms(
    fault: Fault, now_ms: int, retry_after_s: int | None, banned_until_ms: int | None, failures_in_a_row: int
) -> int | None:
    """Instant (epoch ms) until which everyone in the fault's scope keeps quiet, None when nobody has to.

    All instants are on the server's clock: add the clock offset to a local `now_ms` and take it off the result.
    `failures_in_a_row` counts the ticks that ended with this fault, this one included.
    """
    if fault.wait is Wait.NONE:
        return None
    told = min(max(now_ms + (retry_after_s or 0) * 1000, banned_until_ms or 0), now_ms + LONGEST_WAIT_MS)
    doubling = 2 ** min(max(failures_in_a_row, 1) - 1, 16)
    return max(told, _own_wait_until(fault.wait, now_ms, doubling, told=told > now_ms))


def _own_wait_until(wait: Wait, now_ms: int, doubling: int, *, told: bool) -> int:
    """Retry-After is sometimes 0 or missing in practice, so there is a rule of our own for each kind of wait."""
    if wait is Wait.LIMIT:
        next_minute = now_ms - now_ms % MINUTE_MS + MINUTE_MS
        return next_minute if told else next_minute + (min(doubling, 16) - 1) * MINUTE_MS
    if wait is Wait.BAN:
        return now_ms if told else now_ms + min(2 * doubling, 64) * MINUTE_MS
    if wait is Wait.FIREWALL:
        return now_ms + min(5 * doubling, 60) * MINUTE_MS
    return now_ms + min(doubling, 16) * MINUTE_MS
