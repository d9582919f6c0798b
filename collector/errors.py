"""The exception tree: everything that the collector raises on purpose.

    CollectorError                exit code 1
    ├── UsageError                          2   the command line asks for something impossible
    ├── NoDataError                         3   nothing has been collected that could answer
    ├── ConfigError                         4   configuration or a secret is wrong or missing
    ├── ExchangeError                  5 or 75  a request to Binance brought no balances
    │   └── NotSentError                   75   no request left at all
    ├── DatabaseError                       6   the database can't be used
    │   ├── SchemaMissingError              6   there are no tables yet
    │   ├── SchemaVersionError              6   the tables are newer or older than the program
    │   ├── UnstorableError                 6   the database refuses what it is given, and would again
    │   └── DamagedError                    6   the file itself is broken: nothing may write to it any more
    └── LockedError                        75   another process holds the database

Messages are lower-case sentences that say what to do. They never hold a secret, a signature, a signed
URL or an amount.
"""

from __future__ import annotations

__all__ = [
    "CollectorError",
    "ConfigError",
    "DamagedError",
    "DatabaseError",
    "ExchangeError",
    "LockedError",
    "NoDataError",
    "NotSentError",
    "SchemaMissingError",
    "SchemaVersionError",
    "UnstorableError",
    "UsageError",
]

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_NO_DATA = 3
EXIT_CONFIG = 4
EXIT_REFUSED = 5
EXIT_DATABASE = 6
EXIT_TEMPORARY = 75


class CollectorError(Exception):
    """Any error that has a sentence for the user; `exit_code` is what a command ends with."""

    exit_code: int = EXIT_FAILURE


class UsageError(CollectorError):
    """The command line or a call asks for something impossible."""

    exit_code = EXIT_USAGE


class NoDataError(CollectorError):
    """There is no snapshot that could answer the question."""

    exit_code = EXIT_NO_DATA


class ConfigError(CollectorError):
    """A configuration value or a secret is wrong, missing or given twice."""

    exit_code = EXIT_CONFIG


class ExchangeError(CollectorError):
    """A request to Binance brought no balances.

    `reason` is a failed reason of the ledger. `retry_after_s` is what Retry-After said (seconds, None without one) and
    `banned_until_ms` the end of a ban as the message tells it (epoch milliseconds). `permanent` is true when only the
    account's owner can mend it. The rest tells of the requests made for it, as TickOutcome does: `attempts`,
    `requested_at_ms` and `received_at_ms` of the last one, `clock_offset_ms` and `weight_used`.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        http_status: int | None = None,
        code: int | None = None,
        retry_after_s: int | None = None,
        banned_until_ms: int | None = None,
        permanent: bool = False,
        attempts: int = 0,
        requested_at_ms: int | None = None,
        received_at_ms: int | None = None,
        clock_offset_ms: int | None = None,
        weight_used: int | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.http_status = http_status
        self.code = code
        self.retry_after_s = retry_after_s
        self.banned_until_ms = banned_until_ms
        self.permanent = permanent
        self.attempts = attempts
        self.requested_at_ms = requested_at_ms
        self.received_at_ms = received_at_ms
        self.clock_offset_ms = clock_offset_ms
        self.weight_used = weight_used
        self.exit_code = EXIT_REFUSED if permanent else EXIT_TEMPORARY


class NotSentError(ExchangeError):
    """No request left before the deadline or the end of the program; `reason` is a missed reason of the ledger."""


class DatabaseError(CollectorError):
    """The database can't be reached, read or written; `transient` when the same may well succeed at once."""

    exit_code = EXIT_DATABASE

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class SchemaMissingError(DatabaseError):
    """The database has no tables of the collector."""


class SchemaVersionError(DatabaseError):
    """The tables belong to another version of the program."""


class UnstorableError(DatabaseError):
    """The database refuses a row for what it holds: another attempt would end alike."""


class DamagedError(DatabaseError):
    """The file of a database or spool is broken; it is left as it is."""


class LockedError(CollectorError):
    """Another process collects into this database."""

    exit_code = EXIT_TEMPORARY
