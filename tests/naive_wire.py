"""A second, naive reading of Binance's documentation: json and regular expressions decide what is data.

It shares no code with the parser under test. Both judge damaged replies, and have to agree.
"""

import json
import re
from decimal import Decimal
from typing import Any

AMOUNTS = ("free", "locked", "freeze", "withdrawing", "ipoable", "btcValuation")

Texts = dict[str, tuple[str, ...]]
"""Asset to its six amounts in plain notation, in the order of AMOUNTS."""


def naive_rows(body: bytes) -> Texts | None:
    """Rows of a reply by the letter of the documentation, None when it is not data."""
    reply = _decoded(body)
    if not isinstance(reply, list) or not all(isinstance(row, dict) for row in reply):
        return None
    found: Texts = {}
    for row in reply:
        texts = [row.get(name) for name in ("asset", *AMOUNTS)]
        if not all(isinstance(text, str) for text in texts) or texts[0] in found:
            return None
        if not re.fullmatch("[^\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]{1,200}", texts[0]):
            return None
        values = [naive_amount(text) for text in texts[1:]]
        if None in values:
            return None
        found[texts[0]] = tuple(value for value in values if value is not None)
    return {asset: values for asset, values in found.items() if any(Decimal(value) for value in values)}


def naive_amount(text: str) -> str | None:
    """The amount in plain notation, None when the text is none."""
    if not re.fullmatch("[0-9]+([.][0-9]+)?([eE][+-]?[0-9][0-9]?)?", text) or len(text) > 45:
        return None
    written_out = f"{Decimal(text):f}"
    digits = re.sub("[^0-9]", "", written_out if re.search("[eE]", text) else text)
    return written_out if len(digits) <= 40 else None


def _decoded(body: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError
        return found

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        reply = json.loads(body.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
        json.dumps(reply, ensure_ascii=False).encode("utf-8")  # fails for half a surrogate pair anywhere
    except (ValueError, RecursionError):
        return None
    return reply
