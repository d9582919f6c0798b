"""The configuration as values that never change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.domain.renames import NO_RENAMES, Renames
from collector.errors import ConfigError


class Secret:
    """Text that shows as *** wherever it is printed; only `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """One account: its key, and either an `api_secret` or a `private_key` (PEM text) with an optional passphrase.

    `asset` limits the account to one asset; None means the whole wallet.
    """

    name: str
    api_key: Secret
    api_secret: Secret | None = None
    private_key: Secret | None = None
    passphrase: Secret | None = None
    asset: str | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BinanceSettings:
    """How to talk to Binance. `headroom` is the share of the weight that is kept free, from 0 to below 1."""

    base_url: str = "https://api.binance.com"
    recv_window_ms: int = 5000
    weight_per_minute: int = 12_000
    headroom: float = 0.05
    btc_valuation: bool = True
    allow_plain_http: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """One value as it may be shown (secrets as ***), and where it came from."""

    key: str
    value: str | int | float | bool
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured.

    `database` is a URL for SQLAlchemy and may hold a password: show `database_shown` instead. `spool` is the file for
    replies while the database is away. `prices` are the currencies in which the price of BTC is kept. `warnings` are
    sentences that the user should read once. `config_file` is the TOML file that was read, if any.
    """

    interval_s: int
    database: str = field(repr=False)
    database_shown: str
    spool: Path
    spool_max_mb: int = 256
    spool_min_free_mb: int = 64
    log_level: str
    tz: str
    workers: int
    accounts: tuple[AccountSettings, ...]
    binance: BinanceSettings
    prices: tuple[str, ...] = ()
    config_file: Path | None = None
    renames: Renames = NO_RENAMES
    warnings: tuple[str, ...] = ()
    sources: tuple[SourceLine, ...] = ()

    @property
    def zone(self) -> tzinfo:
        """The time zone of days in reports."""
        return UTC if self.tz == "UTC" else ZoneInfo(self.tz)

    def require_accounts(self) -> tuple[AccountSettings, ...]:
        """The accounts; ConfigError when there is none to collect."""
        if not self.accounts:
            raise ConfigError(
                "no account is configured: set BINANCE_API_KEY and BINANCE_API_SECRET, "
                "or run `collector config init` and fill in the file that it writes"
            )
        return self.accounts
