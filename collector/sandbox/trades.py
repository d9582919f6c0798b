"""Draws what an asset's row looks like after one trade, from seed, account, asset and the trade's number alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from collector.sandbox.catalogue import Coin

# One draw in so many finds the asset sold out: its row disappears.
_VANISHES = 8
# The draw behind an account's usual amount of an asset, apart from those of its trades.
_USUAL = -1

Parts = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the wallet as text: free, locked, freeze, withdrawing, ipoable, and the valuation."""

    asset: str
    amounts: tuple[str, ...]
    valuation: str
    json_head: str

    def encode(self, *, valued: bool) -> str:
        """The row as JSON; the valuation is "0" when nobody asked for it."""
        return f'{self.json_head}{self.valuation if valued else "0"}"}}'


def row_after(coin: Coin, source: str, trade: int) -> Row | None:
    """The row of `coin` after its trade number `trade`; None when that trade sold everything."""
    usual = coin.units // 2 + draw(source, coin.name, _USUAL) % (coin.units + 1)
    luck, split, swing, rounding = _dice(draw(source, coin.name, trade), _VANISHES, 6, 2001, 4)
    if luck == 0 and not coin.steady:
        return None
    total = max(1, usual + usual * (swing - 1000) // 20_000)
    total = _rounded(total, coin.decimals) if rounding == 0 else total
    return _row(coin, _split(total, split), _valuation(total, coin))


def draw(source: str, name: str, number: int) -> int:
    """A large number that follows from its arguments alone."""
    digest = hashlib.blake2b(f"{source}/{name}/{number}".encode(), digest_size=12).digest()
    return int.from_bytes(digest, "big")


def _dice(number: int, *sides: int) -> list[int]:
    thrown = []
    for side in sides:
        number, value = divmod(number, side)
        thrown.append(value)
    return thrown


def _rounded(total: int, decimals: int) -> int:
    """With zeros at its end, as an amount that a person typed."""
    return total - total % 10 ** (decimals // 2) or total


def _split(total: int, kind: int) -> Parts:
    part = total // 3
    match kind:
        case 3:
            return total - part, part, 0, 0, 0
        case 4:
            return total - part - part // 2, 0, part, part // 2, part
        case 5:
            return 0, total, 0, 0, 0
        case _:
            return total, 0, 0, 0, 0


def _valuation(total: int, coin: Coin) -> str:
    value = total * coin.price // 10 ** (coin.decimals + 4)
    return _text(value, decimals=8) if value else "0"


def _row(coin: Coin, parts: Parts, valuation: str) -> Row:
    amounts = tuple(_amount(part, coin) for part in parts)
    free, locked, freeze, withdrawing, ipoable = amounts
    name = json.dumps(coin.name, ensure_ascii=False)
    head = (
        f'{{"asset":{name},"free":"{free}","locked":"{locked}","freeze":"{freeze}",'
        f'"withdrawing":"{withdrawing}","ipoable":"{ipoable}","btcValuation":"'
    )
    return Row(asset=coin.name, amounts=amounts, valuation=valuation, json_head=head)


def _amount(units: int, coin: Coin) -> str:
    if units == 0:
        return coin.zero
    text = _text(units, decimals=coin.decimals)
    return text.rstrip("0").rstrip(".") if coin.short and "." in text else text


def _text(units: int, *, decimals: int) -> str:
    if decimals == 0:
        return str(units)
    digits = str(units).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"
