"""Random histories of a wallet, kept as plain lists and written into a database side by side."""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from collector.domain.balances import Balance
from collector.domain.records import Account
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.storage import registry
from collector.storage.record import Recorder
from tests.ledgers import T0, failed, held, record, register, snapshot, stored

Holding = tuple[Balance, ...]
Event = Holding | str

ASSETS = ("BTC", "ETH", "LUNA", "LUNC", "币安人生")
STEP = 600

amounts = st.sampled_from(["0", "1", "1.00000000", "0.000000000000000042", "2.5", "123456789012345678901234567890.1"])
values = st.sampled_from(["0", "0.00000001", "0.1", "1.23456789", "3"])
balances = st.builds(
    lambda asset, free, locked, ipoable, value: held(asset, free, locked=locked, ipoable=ipoable, btc_valuation=value),
    st.sampled_from(ASSETS),
    amounts,
    amounts,
    st.sampled_from(["0", "7"]),
    values,
)
holdings: st.SearchStrategy[Holding] = st.lists(balances, max_size=4, unique_by=lambda b: b.asset).map(tuple)
"""What a snapshot holds."""

lives: st.SearchStrategy[list[Event]] = st.lists(
    st.one_of(holdings, holdings, st.sampled_from(["failed", "missed", "manual"])), max_size=14
)


@dataclass
class Wallet:
    """An account, and every snapshot it had as (due_at, what it held); `lost` are the ticks that brought none."""

    account: Account
    snapshots: list[tuple[int, Holding]] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def held(self, due_at: int, asset: str) -> Balance:
        """What the snapshot of this instant says of an asset."""
        found = [b for b in dict(self.snapshots)[due_at] if b.asset == asset and not b.is_zero]
        return found[0] if found else held(asset, "0")

    def store(self, writer: Recorder, due_at: int, what: Holding, interval_s: int | None) -> None:
        """A snapshot of this."""
        record(writer, stored(self.account, due_at, snapshot(*what), interval_s=interval_s))
        self.snapshots.append((due_at, what))

    def lose(self, writer: Recorder, due_at: int, how: str, interval_s: int) -> None:
        """A tick without a snapshot."""
        if how == "failed":
            record(writer, failed(self.account, due_at, FailReason.TLS, interval_s=interval_s))
        else:
            ticks = TickRange(start_at=due_at, last_due_at=due_at, interval_s=interval_s)
            writer.record_missed(self.account.id, ticks, MissReason.OVERRUN)
        self.lost.append(due_at)

    @property
    def last(self) -> Holding:
        """What the newest snapshot held."""
        return self.snapshots[-1][1] if self.snapshots else ()


def lived(writer: Recorder, name: str, life: list[Event], *, start: int = T0, step: int = STEP) -> Wallet:
    """A tick each step from the start on, then the account was removed; a manual snapshot comes a second later."""
    wallet = Wallet(account=register(writer, name))
    schedule(writer, wallet, step, start)
    due_at, clock = start, start - step
    for event in life:
        if event == "manual":
            clock += 1
            wallet.store(writer, clock, wallet.last, None)
            continue
        clock = due_at
        if isinstance(event, tuple):
            wallet.store(writer, due_at, event, step)
        else:
            wallet.lose(writer, due_at, event, step)
        due_at += step
    schedule(writer, wallet, None, max(due_at, clock + 1))
    return wallet


def schedule(writer: Recorder, wallet: Wallet, interval_s: int | None, now_s: int) -> None:
    """From now on the account is due at this interval."""
    with writer.transaction() as connection:
        registry.open_ledger(connection, wallet.account.id, interval_s=interval_s, now_s=now_s)
