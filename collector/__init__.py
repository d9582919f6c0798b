"""Keeps every answer of Binance's getUserAsset in a SQL database; `History` reads it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collector.api import History

__all__ = ["History"]


def __getattr__(name: str) -> Any:
    # Not at once: every module of the package would load SQLAlchemy, and `collector --help` too.
    if name == "History":
        from collector.api import History  # noqa: PLC0415 - see above

        return History
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
