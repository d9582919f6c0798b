"""The checks before collecting: of the clock, the keys, what these may do, and whose history they go on with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from collector.binance.client import BinanceClient
from collector.collect import Target
from collector.domain.offsets import TOLERANCE_MS
from collector.errors import CollectorError


class Grade(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """One check: what was looked at, how it came out, and what it found or what to do; `error` is behind a problem."""

    subject: str
    grade: Grade
    text: str
    error: CollectorError | None = None


def ok(subject: str, text: str) -> CheckLine:
    """A check that found everything right."""
    return CheckLine(subject=subject, grade=Grade.OK, text=text)


def warning(subject: str, text: str) -> CheckLine:
    """A check that found something to mend that doesn't stop collecting."""
    return CheckLine(subject=subject, grade=Grade.WARNING, text=text)


def problem(subject: str, error: CollectorError) -> CheckLine:
    """A check that failed."""
    return CheckLine(subject=subject, grade=Grade.PROBLEM, text=str(error), error=error)


def check_binance(client: BinanceClient, targets: Sequence[Target], quotes: Sequence[str] = ()) -> Iterator[CheckLine]:
    """Compare the clocks, and if Binance answers ask what each key may do, and for the price in each currency."""
    clock = check_clock(client)
    yield clock
    if clock.error is None:
        for target in targets:
            yield _check_key(client, target)
        yield from _check_prices(client, quotes)


def check_histories(targets: Sequence[Target]) -> Iterator[CheckLine]:
    """Warn of each account that the database knows by another API key."""
    for target in targets:
        before, name = target.account.key_fingerprint, target.account.name
        if before not in {None, target.credentials.fingerprint}:
            yield warning(
                f"account {name}",
                "the API key is not the one that this account was read with before: unless both belong to the same "
                "wallet, two histories are joined, so give the account another name",
            )


def check_clock(client: BinanceClient) -> CheckLine:
    """Compare the local clock with Binance's; it also shows whether Binance can be reached at all."""
    try:
        offset = client.server_offset_ms()
    except CollectorError as error:
        return problem("clock", error)
    text = f"Binance's clock is {abs(offset)} ms {'ahead of' if offset >= 0 else 'behind'} the local one"
    if abs(offset) > TOLERANCE_MS:
        return warning("clock", f"{text}: set the local clock, for it labels the snapshots; signing corrects itself")
    return ok("clock", text)


def _check_key(client: BinanceClient, target: Target) -> CheckLine:
    subject = f"account {target.account.name}"
    try:
        rights = client.api_restrictions(target.credentials)
    except CollectorError as error:
        return problem(subject, error)
    if not rights.reading:
        return warning(subject, "the key may not read: enable reading in Binance's API management")
    if rights.rights:
        return warning(subject, f"the key has rights beyond reading ({', '.join(rights.rights)}): take them away")
    place = "from listed IP addresses only" if rights.ip_restricted else "from any IP address"
    return ok(subject, f"the key may read, and nothing else, {place}")


def _check_prices(client: BinanceClient, quotes: Sequence[str]) -> Iterator[CheckLine]:
    """Ask for the price of BTC in each currency; without one snapshots are kept all the same."""
    for quote in quotes:
        subject = f"price in {quote}"
        try:
            client.btc_price(quote)
        except CollectorError as error:
            yield warning(subject, f"there is none, and none will be kept: {error}")
        else:
            yield ok(subject, f"BTC has a price in {quote}")


def exit_code_of(lines: Sequence[CheckLine]) -> int:
    """0 unless there is a problem; then the code of the first one."""
    return next((line.error.exit_code for line in lines if line.error is not None), 0)
