"""An account that holds some forty assets for years: what each of its snapshots says, made at great speed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

OFTEN, PAID_WITH, RARELY, VANISHING, UNPRICED = "BTC", "USDT", "SOL", "AVAX", "LDETH"
NAMES = (
    OFTEN, PAID_WITH, RARELY, VANISHING, UNPRICED, "ETH", "BNB", "ADA", "XRP", "DOT", "LINK", "LTC", "BCH", "ATOM",
    "UNI", "XLM", "ETC", "FIL", "TRX", "NEAR", "APT", "ARB", "OP", "INJ", "SUI", "SEI", "AAVE", "MKR", "GRT", "ALGO",
    "VET", "SAND", "MANA", "EOS", "XTZ", "THETA", "FTM", "1INCH", "SHIB", "USDC",
)  # fmt: skip
DECIMALS = (8, 8, 8, 8, 10, 8, 8, 12, 8, 18)
"""Of the amounts, one asset after the other; valuations have eight."""
LOCKED = {"BTC": ("0.05000000", "0"), "USDT": ("1500.25000000", "0"), "BNB": ("10.52000000", "0.10000000")}
"""Assets that are partly bound: locked and frozen. All else is 0."""
PRICES = 1024
"""How many valuations each asset has; they are gone through to and fro."""
OFTEN_SHARE, OTHERS_EVERY, RARE_MOVES = 0.1, 37, 12


def names(count: int) -> tuple[str, ...]:
    """So many assets, in code-point order; no fewer than the five that play a part."""
    assert count >= len((OFTEN, PAID_WITH, RARELY, VANISHING, UNPRICED))
    return tuple(sorted([*NAMES[:count], *(f"COIN{number}" for number in range(len(NAMES) + 1, count + 1))]))


@dataclass(frozen=True, slots=True)
class Held:
    """One snapshot: of the assets at `places` the free amounts and valuations, as text."""

    places: tuple[int, ...]
    frees: tuple[str, ...]
    valuations: tuple[str, ...]
    btc_total: str
    digest: str


class Portfolio:
    """Makes so many snapshots of one account, the same ones whenever it is made; one asset is `away` in some."""

    def __init__(self, assets: tuple[str, ...], snapshots: int, away: range, *, seed: int = 1) -> None:
        self.assets = assets
        self.bound = tuple(LOCKED.get(name, ("0", "0")) for name in assets)
        self._snapshots, self._away = snapshots, away
        self._lot = random.Random(seed)
        self._decimals = [DECIMALS[place % len(DECIMALS)] for place in range(len(assets))]
        self._units = [self._lot.randrange(10**n, 10 ** (n + 4)) for n in self._decimals]
        self._frees, self._lines = [""] * len(assets), [""] * len(assets)
        for place in range(len(assets)):
            self._write(place)
        there = list(zip(*(self._walk(name) for name in assets), strict=True))
        self._worth = [(units, tuple(eight(one) if one else "0" for one in units)) for units in there]

    def snapshots(self) -> Iterator[Held]:
        """All of them, oldest first, once."""
        everything = tuple(range(len(self.assets)))
        gone = self.assets.index(VANISHING)
        whole, part = (
            (places, self._priced(places)) for places in (everything, everything[:gone] + everything[gone + 1 :])
        )
        frees: tuple[str, ...] = ()
        lines = ""
        for number in range(self._snapshots):
            places, priced = part if number in self._away else whole
            if self._move(number) or len(places) != len(frees):
                chosen = itemgetter(*places)
                frees, lines = chosen(self._frees), "".join(chosen(self._lines))
            valuations, total = priced[number % len(priced)]
            yield Held(places, frees, valuations, total, hashlib.sha256((lines % valuations).encode()).hexdigest())

    def _move(self, number: int) -> bool:
        """Change what is held now and then; True when something was."""
        moving = []
        if self._lot.random() < OFTEN_SHARE:
            moving += [OFTEN, PAID_WITH]
        if number % OTHERS_EVERY == OTHERS_EVERY - 1:
            other = self.assets[number // OTHERS_EVERY % len(self.assets)]
            moving += [other] if other != RARELY else []
        if number and number % max(1, self._snapshots // RARE_MOVES) == 0:
            moving.append(RARELY)
        for name in moving:
            place = self.assets.index(name)
            self._units[place] += 1 + self._lot.randrange(self._units[place] // 1000) * self._lot.choice((1, -1))
            self._write(place)
        return bool(moving)

    def _write(self, place: int) -> None:
        """The amount as text, and the line of the digest, with a place for the valuation."""
        whole, part = divmod(self._units[place], 10 ** self._decimals[place])
        self._frees[place] = free = f"{whole}.{part:0{self._decimals[place]}}"
        self._lines[place] = "\t".join((self.assets[place], free, *self.bound[place], "0", "0", "%s\n"))

    def _walk(self, name: str) -> list[int]:
        """What the asset is worth, in 10^-8 BTC."""
        worth = self._lot.randrange(10**5, 10**9)
        found = []
        for _ in range(PRICES):
            worth += self._lot.randrange(-worth // 500, worth // 500)
            found.append(0 if name == UNPRICED else worth)
        return found

    def _priced(self, places: tuple[int, ...]) -> list[tuple[tuple[str, ...], str]]:
        """Valuations and their total, one after the other until all begins anew."""
        chosen = itemgetter(*places)
        steps = [(chosen(texts), eight(sum(chosen(units)))) for units, texts in self._worth]
        return [*steps, *steps[-2:0:-1]]


def eight(units: int) -> str:
    """An amount of 10^-8 in plain notation."""
    return f"{units // 10**8}.{units % 10**8:08}"
