"""The few words in which the questions of reports differ between SQLite and PostgreSQL."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """How an engine says what a column holds: amounts as text with all their digits, instants as whole numbers."""

    postgresql: bool

    def amount(self, column: str) -> str:
        """The text of an amount."""
        return f"CAST({column} AS text)" if self.postgresql else column

    def seconds(self, column: str) -> str:
        """Epoch seconds of an instant of the grid."""
        return f"CAST(extract(epoch FROM {column}) AS bigint)" if self.postgresql else column

    def millis(self, column: str) -> str:
        """Epoch milliseconds of any other instant."""
        return f"CAST(extract(epoch FROM {column}) * 1000 AS bigint)" if self.postgresql else column

    def at_second(self, value: str) -> str:
        """The instant of a value, such as `:from_s`, in epoch seconds."""
        return f"to_timestamp({value})" if self.postgresql else value

    def at_milli(self, value: str) -> str:
        """The instant of a value in epoch milliseconds."""
        return f"to_timestamp({value} / 1000.0)" if self.postgresql else value
