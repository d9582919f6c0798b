"""Every row of Binance's failures, written out from its documentation, and a play that shows what follows from it.

Nothing here comes from the code under test: a row says what the exchange does, and what the ledger has to say then.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from collector.binance.client import BinanceClient
from collector.binance.faults import fault_of
from collector.collect import fetch, manual_tick
from collector.daemon.runner import AccountRunner
from collector.errors import ExchangeError
from collector.sandbox.faults import Fault
from collector.sandbox.journal import Served
from tests.collecting import World, client_of, until, waits, world
from tests.ledgers import T0, ask, instant

USER_ASSET = "/sapi/v3/asset/getUserAsset"
STATUS = "/sapi/v1/system/status"
TIME = "/api/v3/time"
MINUTE = 60
HOUR = 3600
DAY = 24 * HOUR
ATTEMPTS = 3
"""Of the clients that play here; the daemon's own has six."""

BAD, GOOD = "acct-0001", "acct-0002"
STORED, WAITING, STOPPED = "stored", "missed (waiting)", "missed (account_stopped)"

Address = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What comes back, and what has to follow.

    `faults` meet the account BAD only, and GOOD's requests go well. `attempts` is how often one tick asks. After the
    first, the second and the third failure in a row everyone behind the address is quiet for as many seconds as
    `quiet` says. When BAD fails in the middle of a minute, `next_minute` is what GOOD meets as the next one begins.
    `stops_after` so many failed ticks in a row the account stops. A `brief` row is played as far as that.
    """

    name: str
    faults: tuple[dict[str, Any], ...] = ()
    address: Address | None = None
    reason: str
    status: int | None = None
    code: int | None = None
    sentence: str
    exit_code: int = 75
    alert: bool = False
    attempts: int = 1
    asks_time: bool = False
    quiet: tuple[int, int, int] | None = None
    next_minute: str | None = None
    impatient: bool = False
    brief: bool = False
    stops_after: int | None = None

    @property
    def failed(self) -> str:
        """The answer of a tick that met it."""
        return f"failed ({self.reason})"


def error(code: int, status: int, **told: Any) -> tuple[dict[str, Any], ...]:
    """The exchange answers with its error object."""
    return ({"kind": "error", "code": code, "status": status, **told},)


def server(name: str, *faults: dict[str, Any], reason: str = "server_error", **told: Any) -> Row:
    """Transport or server side: tried again within the tick, then failed; the next tick asks anew."""
    return Row(name=name, faults=faults, reason=reason, attempts=ATTEMPTS, **told)


def stops(code: int, status: int, reason: str, sentence: str, **told: Any) -> Row:
    """Only the owner can mend it: the account stops at once."""
    said: dict[str, Any] = {"faults": error(code, status), "exit_code": 5, "alert": True, "stops_after": 1} | told
    return Row(name=f"{status} {code}", reason=reason, status=status, code=code, sentence=sentence, **said)


def quiet(name: str, faults: tuple[dict[str, Any], ...], reason: str, sentence: str, *seconds: int, **told: Any) -> Row:
    """Everyone behind the address waits for so many seconds after the first, second and third failure in a row."""
    first, second, third = seconds
    return Row(name=name, faults=faults, reason=reason, sentence=sentence, quiet=(first, second, third), **told)


SERVER = "Binance failed on its side"
NO_DATA = "the reply is not data as Binance documents it"
NO_TIME = "Binance did not answer in time"
NO_LINE = "the connection to Binance failed: look at network and proxy"
KEY = "Binance refuses the API key for this request: look at the key and its permissions"
PARAMETER = "Binance finds a parameter wrong: look at the account's settings and at `prices`, or report a bug"
LIMIT = "too many requests from this IP address: every account behind it waits"
BAN = "Binance has banned this IP address for a while: every account behind it waits"
BUSY = "Binance is overloaded: requests pause for minutes"
CLOSED = "Binance is closed for maintenance: requests pause for minutes"
UNKNOWN = "Binance answered with an error code that is not known here"
TRUNCATED = f"{NO_DATA}: the reply is not a JSON array of objects"


def banned_until(seconds: int) -> str:
    """Binance's message of a ban that ends so many seconds after T0."""
    return f"Way too much request weight used; IP banned until {(T0 + seconds) * 1000}. Please use fewer requests."


TRANSPORT = [
    server("no connection", reason="connection", sentence=NO_LINE, address=lambda _: "http://127.0.0.1:9"),
    server(
        "no TLS",
        reason="tls",
        sentence="no trusted TLS connection to Binance: look at the local clock, the CA bundle and proxies",
        address=lambda url: url.replace("http://", "https://"),
    ),
    server("no answer", {"kind": "hang", "seconds": 20.0}, reason="timeout", sentence=NO_TIME, impatient=True),
    server("reset", {"kind": "reset"}, reason="connection", sentence=NO_LINE),
    server("reset midway", {"kind": "reset_midway"}, reason="connection", sentence=NO_LINE),
    server("half a body", {"kind": "half_body"}, reason="connection", sentence=NO_LINE),
    server("truncated JSON", {"kind": "truncated"}, reason="bad_reply", status=200, sentence=TRUNCATED),
    server("no JSON", {"kind": "body", "body": "{"}, reason="bad_reply", status=200, sentence=TRUNCATED),
    server("a page", {"kind": "html"}, reason="bad_reply", status=200, sentence=TRUNCATED),
    server("an empty body", {"kind": "body", "body": ""}, reason="bad_reply", status=200, sentence=TRUNCATED),
    server("no content", {"kind": "status", "status": 204}, reason="bad_reply", status=204, sentence=NO_DATA),
    *(
        server(f"{status}", {"kind": "status", "status": status}, status=status, sentence=SERVER)
        for status in (500, 502, 504)
    ),
    server("502 page", {"kind": "html", "status": 502}, status=502, sentence=SERVER),
    *(
        server(f"{status} {code}", *error(code, status), status=status, code=code, sentence=SERVER)
        for status, code in ((500, -1000), (500, -1001), (500, -1006), (504, -1007), (500, -3000), (503, -3044))
    ),
    *(
        server(f"400 {code}", *error(code, 400), status=400, code=code, sentence=SERVER)
        for code in (-1000, -1001, -1006, -1007, -3000, -3044)
    ),
    server("200 -1000", {"kind": "error_in_200", "code": -1000}, status=200, code=-1000, sentence=SERVER),
    Row(
        name="a redirect",
        faults=({"kind": "redirect", "location": "/elsewhere"},),
        reason="bad_reply",
        status=302,
        sentence="the host redirects elsewhere, which is never followed: correct the base URL, or look for a captive"
        " portal",
        alert=True,
    ),
]

CLOCK = [
    Row(
        name=f"{kind} -1021",
        faults=({"kind": kind, "code": -1021},),
        reason="clock",
        status=status,
        code=-1021,
        sentence="the request's timestamp is outside of Binance's window: set the local clock",
        alert=True,
        attempts=2,
        asks_time=True,
    )
    for kind, status in (("error", 400), ("error_in_200", 200))
]

LIMITS = [
    quiet(
        "429 alone",
        ({"kind": "status", "status": 429},),
        "rate_limited",
        LIMIT,
        60,
        120,
        240,
        status=429,
        next_minute=STORED,
    ),
    quiet(
        "400 -1003",
        error(-1003, 400),
        "rate_limited",
        LIMIT,
        *(60, 120, 240),
        status=400,
        code=-1003,
        next_minute=STORED,
    ),
    *(
        quiet(
            f"429, Retry-After {told}",
            error(-1003, 429, retry_after=told),
            "rate_limited",
            LIMIT,
            *seconds,
            status=429,
            code=-1003,
        )
        # Without a usable Retry-After our own rule doubles; with one, Binance's word counts.
        for told, *seconds in (
            (None, 60, 120, 240),
            ("0", 60, 120, 240),
            ("soon", 60, 120, 240),
            ("-5", 60, 120, 240),
            ("1.5", 60, 120, 240),
            ("30", 60, 60, 60),
            ("180", 180, 180, 180),
        )
    ),
]

BANS = [
    *(
        quiet(
            f"418, Retry-After {told}{'' if until is None else f', banned until +{until}'}",
            error(-1003, 418, retry_after=told, message="Banned." if until is None else banned_until(until)),
            "banned",
            BAN,
            *seconds,
            status=418,
            code=-1003,
            alert=True,
        )
        for told, until, *seconds in (
            ("300", None, 300, 300, 300),
            ("0", None, 120, 240, 480),
            (None, None, 120, 240, 480),
            ("garbage", None, 120, 240, 480),
            (None, 600, 600, 240, 480),  # at the second one the end in the message is past: our own rule counts
            ("0", 600, 600, 240, 480),
            ("60", 600, 600, 60, 60),
            ("900", 600, 900, 900, 900),
            ("99999999", None, 3 * DAY, 3 * DAY, 3 * DAY),  # no ban is longer by Binance's documentation
        )
    ),
    quiet("418 alone", ({"kind": "status", "status": 418},), "banned", BAN, 120, 240, 480, status=418, alert=True),
    quiet(
        "429 whose message is a ban",
        error(-1003, 429, message=banned_until(600)),
        "banned",
        BAN,
        *(600, 240, 480),
        status=429,
        code=-1003,
        alert=True,
    ),
    quiet(
        "200 whose message is a ban",
        ({"kind": "error_in_200", "code": -1003, "message": banned_until(600)},),
        "banned",
        BAN,
        *(600, 240, 480),
        status=200,
        code=-1003,
        alert=True,
    ),
    *(
        quiet(
            f"403 page, Retry-After {told}",
            ({"kind": "html", "status": 403, "retry_after": told},),
            "firewall",
            "Binance's firewall refuses this IP address or place: requests pause",
            *seconds,
            status=403,
            alert=True,
        )
        for told, *seconds in ((None, 300, 600, 1200), ("30", 300, 600, 1200), ("900", 900, 900, 1200))
    ),
]

PAUSES = [
    *(
        quiet(
            f"{status} {code}, Retry-After {told}",
            error(code, status, retry_after=told),
            reason,
            sentence,
            *seconds,
            status=status,
            code=code,
            next_minute=WAITING,
        )
        for status, code, reason, sentence, told, *seconds in (
            (503, -1004, "busy", BUSY, None, 60, 120, 240),
            (503, -1008, "busy", BUSY, None, 60, 120, 240),
            (503, -1008, "busy", BUSY, "600", 600, 600, 600),
            (400, -1004, "busy", BUSY, None, 60, 120, 240),
            (503, -1016, "maintenance", CLOSED, None, 60, 120, 240),
            (503, -10001, "maintenance", CLOSED, None, 60, 120, 240),
        )
    ),
    quiet(
        "200 -1016",
        ({"kind": "error_in_200", "code": -1016},),
        "maintenance",
        CLOSED,
        *(60, 120, 240),
        status=200,
        code=-1016,
    ),
    quiet(
        "system status 1",
        (
            {"kind": "html", "status": 503},
            {"kind": "body", "body": '{"status":1,"msg":"system_maintenance"}', "path": STATUS, "account": None},
        ),
        "maintenance",
        CLOSED,
        *(120, 180, 300),  # the pause begins when the last attempt has failed, between two ticks
        attempts=ATTEMPTS,
    ),
]

STOPS = [
    stops(
        -1022,
        400,
        "bad_signature",
        "Binance finds the signature wrong: give the secret or private key that belongs to this API key",
    ),
    *(
        stops(code, status, "key_rejected", KEY)
        for status, code in (
            (401, -1002),
            (403, -1005),
            (403, -1011),
            (400, -1020),
            (401, -1099),
            (400, -1109),
            (400, -2008),
            (401, -2014),
        )
    ),
    stops(-1100, 400, "bad_parameter", PARAMETER),
    *(stops(code, 400, "bad_parameter", PARAMETER, brief=True) for code in range(-1108, -1100)),
    *(stops(code, 400, "bad_parameter", PARAMETER, brief=True) for code in range(-1131, -1109)),
    stops(
        0,
        451,
        "key_rejected",
        "Binance does not serve the place that this machine's requests come from",
    ),
    stops(
        -1022,
        200,
        "bad_signature",
        "Binance finds the signature wrong: give the secret or private key that belongs to this API key",
        faults=({"kind": "error_in_200", "code": -1022},),
    ),
    *(
        stops(
            -2015,
            status,
            "key_rejected",
            "Binance refuses API key, IP address or permission: look at the key's IP list and whether it may read",
            stops_after=3,
        )
        for status in (400, 401)
    ),
    Row(
        name="404",
        faults=({"kind": "html", "status": 404},),
        reason="server_error",
        status=404,
        sentence="the host does not know the address asked for: use one that serves /sapi, such as"
        " https://api.binance.com",
        alert=True,
        stops_after=3,
    ),
    *(
        Row(
            name=f"{status} {code}",
            faults=error(code, status) if status != 200 else ({"kind": "error_in_200", "code": code},),
            reason="unknown_code",
            status=status,
            code=code,
            sentence=UNKNOWN,
            alert=True,
            attempts=ATTEMPTS,
            stops_after=3,
        )
        for status, code in ((400, -9999), (400, -1132), (200, 17))
    ),
]

TABLE = [*TRANSPORT, *CLOCK, *LIMITS, *BANS, *PAUSES, *STOPS]


class Listener(logging.Handler):
    """Keeps what is said of warnings and errors."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self._said.append(record.getMessage())


class Play:
    """A row on the stage: two accounts behind one address, of which one meets the fault."""

    def __init__(self, row: Row, on: World, *, bad_at_s: int) -> None:
        self.row = row
        self._bad_at_s = bad_at_s
        self.world = on
        self.expected: dict[tuple[str, int], str] = {}
        self.said: list[str] = []
        self._client: BinanceClient | None = None
        self._listener = Listener(self.said)
        logging.getLogger("collector.daemon").addHandler(self._listener)
        self.restart()

    @property
    def client(self) -> BinanceClient:
        """What BAD is asked through."""
        assert self._client is not None
        return self._client

    def restart(self, *, mended: bool = False) -> None:
        """Runners that know nothing but the configuration and the database, as after a restart of the daemon."""
        self._close_client()
        base, row = self.world, self.row
        shared = replace(base.shared, waits=waits(base.shared.recorder, base.clocks))
        base.runners.clear()
        bad, good = base.add(0, offset_ms=self._bad_at_s * 1000), base.add(1)
        told: dict[str, Any] = {"max_attempts": ATTEMPTS}
        if not mended and row.address is not None:
            told["base_url"] = row.address(base.exchange.base_url)
        if not mended and row.impatient:
            told["read_timeout_s"] = 0.15
        self._client = client_of(base.exchange, base.clocks, **told)
        base.runners[:] = [
            AccountRunner(bad.target, replace(shared, client=self._client)),
            AccountRunner(good.target, shared),
        ]

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()

    def close(self) -> None:
        """The end."""
        logging.getLogger("collector.daemon").removeHandler(self._listener)
        self._close_client()

    def script(self, last: int | None = None) -> None:
        """The exchange begins to fail for BAD, for so many requests."""
        meets = {"account": BAD, "path": USER_ASSET, "last": last}
        self.world.exchange.script(*(Fault(**{**meets, **fault}) for fault in self.row.faults))

    def mend(self) -> None:
        """Whatever it was, it is over."""
        self.world.exchange.clear_faults()
        if self.row.address is not None:
            self.restart(mended=True)

    def wait_out(self, failed_at: int, seconds: int, *, restart: bool) -> int:
        """Ticks at the beginning, in the middle and at the end of a wait; the instant at which it is over."""
        over = failed_at + seconds
        for at in sorted({failed_at + MINUTE, failed_at + seconds // 2 // MINUTE * MINUTE, over - MINUTE}):
            if failed_at < at < over:
                self.tick(at, bad=WAITING, good=WAITING)
                if restart:
                    self.restart()
        return over

    def tick(
        self, at_s: int, *, bad: str | None = None, good: str | None = None, asked: int = 1, late_s: int = 0
    ) -> None:
        """The ticks at this many seconds after T0 come out like this, and ask as often as that takes."""
        self.world.clocks.run(T0 + at_s + late_s - self.world.clocks.wall_ms / 1000)
        for runner, name, answer in zip(self.world.runners, (BAD, GOOD), (bad, good), strict=True):
            if answer is None:
                continue
            before = len(self.asked(name))
            assert self.world.tick(runner, due_at=T0 + at_s) == [f"{name} {answer}"], f"{name} at +{at_s}"
            expected = asked if name == BAD and answer == STORED else 1
            expected = 0 if "missed" in answer else self.row.attempts if answer == self.row.failed else expected
            served = self.asked(name)[before:]
            if self.row.address is None or answer != self.row.failed:
                assert len(served) == expected, f"{name} at +{at_s} asked {len(served)} times"
            assert all(entry.arrived_ms < (T0 + at_s + late_s + MINUTE) * 1000 for entry in served), (
                "asked after the deadline"
            )
            if not self.row.asks_time:  # which takes no time here: the new timestamp is the old one
                assert len({entry.signature for entry in served}) == len(served), "signed once for two attempts"
            self.expected[name, at_s] = answer

    def asked(self, name: str) -> list[Served]:
        """The requests for balances of an account that reached the exchange."""
        return self.world.exchange.requests(account=name, path=USER_ASSET)

    def check_ledger(self) -> None:
        """Each tick that was played has exactly that answer in the database, and no other tick has any."""
        assert answers(self.world.url) == self.expected


def answers(url: str) -> dict[tuple[str, int], str]:
    """Account and seconds since T0 to outcome and reason, ranges tick by tick, by plain SQL."""

    def epoch(column: str) -> str:
        return column if url.startswith("sqlite") else f"CAST(extract(epoch FROM {column}) AS bigint)"

    names = "JOIN account a ON a.id = account_id"
    ticks = ask(url, f"SELECT name, {epoch('due_at')}, outcome, reason FROM tick {names}")
    missed = ask(url, f"SELECT name, {epoch('start_at')}, ticks, interval_s, reason FROM missed {names}")
    found = [(name, at, outcome if reason is None else f"{outcome} ({reason})") for name, at, outcome, reason in ticks]
    for name, start, number, interval, reason in missed:
        found += [(name, start + n * interval, f"missed ({reason})") for n in range(number)]
    assert len({(name, at) for name, at, _ in found}) == len(found), "a tick has two answers"
    return {(name, at - T0): answer for name, at, answer in found}


def told(url: str) -> tuple[Any, ...]:
    """What the ledger keeps of BAD's tick at T0."""
    columns = "outcome, reason, http_status, code, attempts, detail"
    rows = ask(
        url,
        f"SELECT {columns} FROM tick JOIN account a ON a.id = account_id"
        f" WHERE name = '{BAD}' AND due_at = {instant(url, T0)}",
    )
    return rows[0]


@contextmanager
def stage(row: Row, url: str, *, bad_at_s: int = 0) -> Iterator[Play]:
    """Two accounts and an exchange in good health, at T0; BAD has its place so many seconds after each minute."""
    with world(url, accounts=[BAD, GOOD]) as on:
        play = Play(row, on, bad_at_s=bad_at_s)
        try:
            yield play
        finally:
            play.close()


def check(row: Row, url: str) -> None:
    """Play a row from beginning to end on an empty database; AssertionError when anything comes out otherwise."""
    with stage(row, url) as play:
        play.script()
        check_error(play)
        play.restart()
        check_now(play)
        if row.brief:
            play.tick(MINUTE, bad=STOPPED, good=STORED)
        elif row.stops_after is not None:
            check_stop(play, row.stops_after)
        elif row.quiet is not None:
            check_quiet(play, row.quiet[0])
        else:
            check_passing(play)
        play.check_ledger()


def check_error(play: Play) -> None:
    """What a manual snapshot meets and says: the sentence, the exit code, whether it is worth an alert."""
    row, instant = play.row, play.world.clocks.wall_ms
    failure = fetch(play.client, play.world.runners[0].target, manual_tick(instant)).error
    assert failure is not None
    assert str(failure).startswith(row.sentence), str(failure)
    assert (failure.reason, failure.exit_code) == (row.reason, row.exit_code)
    assert failure.attempts == row.attempts
    assert fault_of(failure).alert == row.alert, "alert"
    play.world.clocks.set((instant - play.world.clocks.wall_ms) / 1000)


def check_now(play: Play) -> None:
    """The tick that meets it: outcome and reason, attempts, the clock, and the other account in the same minute."""
    row, times = play.row, len(play.world.exchange.requests(path=TIME))
    play.tick(0, bad=row.failed, good=STORED if row.quiet is None else WAITING)
    outcome, reason, status, code, attempts, detail = told(play.world.url)
    assert (outcome, reason, status, code, attempts) == ("failed", row.reason, row.status, row.code, row.attempts)
    assert detail.startswith(row.sentence), detail
    assert len(play.world.exchange.requests(path=TIME)) - times == (1 if row.asks_time else 0), "asked for the time"


def check_passing(play: Play) -> None:
    """Each next tick asks as if nothing had been, also after a restart; and it is stored when it is over."""
    for at in (60, 120, 180):
        play.tick(at, bad=play.row.failed, good=STORED)
    play.restart()
    play.tick(240, bad=play.row.failed, good=STORED)
    play.mend()
    play.tick(300, bad=STORED, good=STORED)
    assert ask(play.world.url, "SELECT scope FROM wait") == []
    assert ask(play.world.url, "SELECT name FROM account WHERE stopped_at IS NOT NULL") == []
    assert play.said == []


def check_quiet(play: Play, seconds: int) -> None:
    """Nobody behind the address asks until it is over, however often the daemon is restarted; then both do."""
    assert ask(play.world.url, "SELECT scope, reason FROM wait") == [("ip", play.row.reason)]
    play.restart()
    play.mend()
    over = play.wait_out(0, seconds, restart=True)
    play.tick(over, bad=STORED, good=STORED)
    assert len(play.said) == 1


def check_again(row: Row, url: str) -> None:
    """A failure that follows on a failure may take longer, and never stops the account."""
    with stage(row, url) as play:
        play.script()
        at = 0
        for seconds in row.quiet or ():
            play.tick(at, bad=row.failed, good=WAITING)
            at = play.wait_out(at, seconds, restart=False)
        play.mend()
        play.tick(at, bad=STORED, good=STORED)
        play.tick(at + MINUTE, bad=STORED, good=STORED)
        assert ask(url, "SELECT name FROM account WHERE stopped_at IS NOT NULL") == []
        play.check_ledger()


def check_late(row: Row, url: str) -> None:
    """A limit ends with Binance's minute, a pause lasts one of its own; and nobody retries when it is over."""
    assert row.next_minute is not None
    with stage(row, url, bad_at_s=30) as play:
        play.script()
        play.tick(0, good=STORED)
        play.tick(0, bad=row.failed, late_s=30)
        play.mend()
        play.tick(MINUTE, good=row.next_minute)
        play.check_ledger()


def check_recovery(row: Row, url: str) -> None:
    """What is over at the second attempt leaves a snapshot of this very tick."""
    with stage(row, url) as play:
        play.script(last=1)
        play.tick(0, bad=STORED, good=STORED, asked=2)
        assert told(url)[0] == STORED
        assert told(url)[4] == 2
        play.check_ledger()


def check_stop(play: Play, after: int) -> None:
    """It stops, stays so over restarts, is probed once an hour, goes on when it is mended; the other never minds."""
    row = play.row
    for n in range(1, after):
        play.tick(n * MINUTE, bad=row.failed, good=STORED)
    # Retries took a second or so after the tick, and an hour counts from their end.
    hour = HOUR if row.attempts == 1 else HOUR + MINUTE
    stopped = (after - 1) * MINUTE
    play.tick(stopped + MINUTE, bad=STOPPED, good=STORED)
    told = ask(play.world.url, "SELECT name, stop_reason FROM account WHERE stopped_at IS NOT NULL")
    assert told == [(BAD, row.reason)]
    play.restart()
    play.tick(stopped + hour - MINUTE, bad=STOPPED, good=STORED)
    play.tick(stopped + hour, bad=row.failed, good=STORED)
    play.mend()
    play.tick(stopped + hour + MINUTE, bad=STOPPED, good=STORED)
    play.restart()
    play.tick(stopped + 2 * hour - MINUTE, bad=STOPPED, good=STORED)
    play.tick(stopped + 2 * hour, bad=STORED, good=STORED)
    play.tick(stopped + 2 * hour + MINUTE, bad=STORED, good=STORED)
    assert ask(play.world.url, "SELECT name FROM account WHERE stopped_at IS NOT NULL") == []
    assert ask(play.world.url, "SELECT scope FROM wait") == []
    assert play.said == [
        f"account {BAD} is stopped ({row.reason}) until its owner mends it; it is probed once an hour",
        f"account {BAD} goes on: its key works again",
    ]


def check_aborted(url: str) -> None:
    """The end of the program cuts a request off: that tick failed, and nothing follows from it."""
    row = Row(name="aborted", reason="aborted", sentence="the request was cut off because the program ends")
    with stage(row, url) as play:
        play.world.exchange.script(Fault(kind="hang", seconds=20.0, account=BAD, path=USER_ASSET))
        runner = play.world.runners[0]
        play.world.start(runner.due(T0, MINUTE, play.world.clocks()))
        until(lambda: play.asked(BAD))
        play.client.abort()
        play.world.finish()
        outcome, reason, status, code, attempts, detail = told(url)
        assert (outcome, reason, status, code, attempts) == ("failed", "aborted", None, None, 1)
        assert detail == row.sentence
        assert not fault_of(ExchangeError(detail, reason="aborted")).alert, "alert"
        assert ask(url, "SELECT scope FROM wait") == []
        assert ask(url, "SELECT name FROM account WHERE stopped_at IS NOT NULL") == []
        assert play.world.exchange.requests(path=TIME) == []
        play.mend()
        play.restart()
        play.tick(MINUTE, bad=STORED, good=STORED)
