"""One value for each key: the strongest source wins, and two for one secret are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from collector.config import checks
from collector.config.database import file_at, holds_password, masked_url, normal_url, spool_of, sqlite_url
from collector.config.keys import ACCOUNT_KEYS, MAIN_ACCOUNT, MAIN_VARIABLES, PLAIN_KEYS, Key
from collector.config.secretfiles import exposure, locate, looks_like_a_secret, read_secret
from collector.config.sources import (
    ACCOUNTS_PREFIX,
    Given,
    Layer,
    from_credentials,
    from_environment,
    from_flags,
    from_toml,
    renames_from,
    same_name,
)
from collector.config.values import AccountSettings, BinanceSettings, Secret, Settings, SourceLine
from collector.domain.renames import NO_RENAMES, Renames
from collector.errors import ConfigError

MAX_DEFAULT_WORKERS = 32
DEFAULT = "default"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"


_SHOWN: dict[str, Callable[[Any], str]] = {
    "interval": checks.format_interval,
    "database": masked_url,
    "prices": _listed,
}


class Resolver:
    """Picks one value for each key, and notes where it came from and what to warn about."""

    def __init__(self, *, config_file: Path | None, credentials: Path | None, default_database: Path) -> None:
        self.config_file = config_file
        self.credentials = credentials
        self.default_database = default_database
        self.names: list[str] = []
        self.renames = NO_RENAMES
        self.given: dict[tuple[str | None, str], list[Given]] = {}
        self.lines: list[SourceLine] = []
        self.warnings: dict[str, None] = {}

    def gather(self, environ: Mapping[str, str], flags: Mapping[str, str]) -> None:
        """Take in what every source gives."""
        names, toml = from_toml(self.config_file) if self.config_file else ([], [])
        self.renames = renames_from(self.config_file) if self.config_file else NO_RENAMES
        known: dict[str, str] = {}
        for name in names:
            if known.setdefault(same_name(name), name) != name:
                raise ConfigError(
                    f"accounts {known[same_name(name)]} and {name} in {self.config_file} are too much alike: rename one"
                )
        for given in [*from_flags(flags), *toml, *from_credentials(self.credentials), *from_environment(environ)]:
            account = given.account and known.setdefault(same_name(given.account), _new_name(given))
            self.given.setdefault((account, given.key), []).append(given)
        self.names = sorted(known.values())
        self._refuse_stray_main({*names})

    def _refuse_stray_main(self, names: set[str]) -> None:
        """BINANCE_API_KEY is often there for another program: it must not add an account beside configured ones."""
        stray = None
        for (account, _), givens in self.given.items():
            for given in givens if account else []:
                if given.where.startswith("BINANCE_"):
                    stray = stray or given
                else:
                    names.add(cast("str", account))
        if stray and names and not any(same_name(name) == MAIN_ACCOUNT for name in names):
            others = ", ".join(sorted(names))
            raise ConfigError(
                f"{stray.where} belongs to the account main, but only {others} is configured: "
                "unset it, or add [accounts.main]"
            )

    def settings(self, *, with_accounts: bool) -> Settings:
        """Decide everything."""
        accounts = tuple(self._account(name) for name in self.names) if with_accounts else ()
        workers = min(MAX_DEFAULT_WORKERS, max(1, len(accounts)))
        defaults = {"database": sqlite_url(self.default_database), "workers": workers, "prices": ()}
        plain: dict[str, Any] = {}
        for key in PLAIN_KEYS:
            if key.name == "spool":
                defaults["spool"] = str(spool_of(plain["database"], self.default_database.parent))
            plain[key.name] = self._plain(key, key.default if key.default is not None else defaults[key.name])
        binance = BinanceSettings(
            **{name.removeprefix("binance."): v for name, v in plain.items() if name.startswith("binance.")}
        )
        self._check_transport(binance)
        return Settings(
            interval_s=plain["interval"],
            database=plain["database"],
            database_shown=masked_url(plain["database"]),
            spool=Path(plain["spool"]),
            spool_max_mb=plain["spool_max_mb"],
            spool_min_free_mb=plain["spool_min_free_mb"],
            log_level=plain["log_level"],
            tz=plain["tz"],
            workers=plain["workers"],
            prices=plain["prices"],
            accounts=accounts,
            binance=binance,
            config_file=self.config_file,
            renames=self._renames(),
            warnings=tuple(self.warnings),
            sources=tuple(sorted(self.lines, key=lambda line: line.key.startswith("accounts."))),
        )

    def _plain(self, key: Key, default: Any) -> Any:
        given = self._chosen(None, key)
        value = self._value(given, key) if given else key.check(default)
        self._note(key.name, _SHOWN[key.name](value) if key.name in _SHOWN else value, given)
        return value

    def _renames(self) -> Renames:
        for entry in self.renames.entries:
            shown = f"{entry.old} before {datetime.fromtimestamp(entry.on_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
            self.lines.append(SourceLine(key=f"rename.{entry.new}", value=shown, source=str(self.config_file)))
        return self.renames

    def _account(self, name: str) -> AccountSettings:
        values: dict[str, Any] = {}
        for key in ACCOUNT_KEYS:
            given = self._chosen(name, key)
            value: Any = self._value(given, key) if given else key.default
            if value is not None:
                values[key.name] = Secret(value) if key.secret else value
                self._note(f"accounts.{name}.{key.name}", "***" if key.secret else value, given)
        self._check_account(name, values)
        return AccountSettings(name=name, **values)

    def _check_account(self, name: str, values: Mapping[str, Any]) -> None:
        if "api_secret" in values and "private_key" in values:
            raise ConfigError(
                f"account {name} has {self._where(name, 'api_secret')} and "
                f"{self._where(name, 'private_key')}: remove one"
            )
        if "api_key" not in values:
            raise ConfigError(f"account {name} has no api_key: {_how_to_give(name, 'api_key')}")
        if "api_secret" not in values and "private_key" not in values:
            missing = "neither an api_secret nor a private_key"
            raise ConfigError(
                f"account {name} has {self._where(name, 'api_key')} but {missing}: {_how_to_give(name, 'api_secret')}"
            )
        if "passphrase" in values and "private_key" not in values:
            raise ConfigError(
                f"account {name} has {self._where(name, 'passphrase')} but no private_key that it belongs to: remove it"
            )

    def _chosen(self, account: str | None, key: Key) -> Given | None:
        """The value that counts; an account's secret may be given only once, anything else once by each source."""
        givens = sorted(self._different(self.given.get((account, key.name), [])), key=lambda given: given.layer)
        if len(givens) > 1 and (givens[0].layer == givens[1].layer or (account and key.secret)):
            raise ConfigError(f"{givens[0].where} and {givens[1].where} both give {key.name}: remove one")
        return givens[0] if givens else None

    def _different(self, givens: list[Given]) -> list[Given]:
        """Without the credentials that the configuration names too."""
        named = {self._path(given) for given in givens if given.names_file and given.layer is not Layer.CREDENTIAL}
        return [given for given in givens if given.layer is not Layer.CREDENTIAL or self._path(given) not in named]

    def _value(self, given: Given, key: Key) -> Any:
        try:
            value = checks.as_type(
                given.value, str if given.names_file else key.kind, is_text=given.layer is not Layer.FILE
            )
            if value == "":
                raise ValueError("must not be empty")  # noqa: TRY301 - one place adds the key and its source
            if given.names_file:
                return self._from_file(given, key)
            self._warn_of_config(given, key)
            return self._checked(value, given, key)
        except ValueError as e:
            raise given.error(str(e)) from None  # the cause would show what was given

    def _from_file(self, given: Given, key: Key) -> Any:
        path = self._path(given)
        if looks_like_a_secret(str(given.value).strip(), path):
            raise ValueError(f"must name a file, and looks like the secret itself: that is what {key.name} is for")
        text = read_secret(path)
        if given.layer is not Layer.CREDENTIAL and path.parent != self.credentials:
            self._warn(exposure(path))
        try:
            return self._checked(text, given, key)
        except ValueError as e:
            raise ValueError(f"names {path}, whose text {e}") from None

    def _checked(self, value: Any, given: Given, key: Key) -> Any:
        if key.name == "database":
            return normal_url(value, given.base)
        return str(file_at(value, given.base)) if key.name == "spool" else key.check(value)

    def _path(self, given: Given) -> Path:
        return locate(str(given.value).strip(), given.base, self.credentials)

    def _warn_of_config(self, given: Given, key: Key) -> None:
        if given.layer is Layer.FILE and key.secret and self.config_file:
            harmless = key.name == "database" and not holds_password(normal_url(str(given.value), given.base))
            self._warn(None if harmless else exposure(self.config_file))

    def _warn(self, sentence: str | None) -> None:
        if sentence:
            self.warnings[sentence] = None

    def _note(self, key: str, shown: Any, given: Given | None) -> None:
        origin = given.origin if given else DEFAULT
        if given and given.names_file and given.layer is not Layer.CREDENTIAL:
            origin = f"{self._path(given)} ({given.where})"
        self.lines.append(SourceLine(key=key, value=shown, source=origin))

    def _where(self, account: str, key: str) -> str:
        return min(self.given[account, key], key=lambda given: given.layer).where

    def _check_transport(self, binance: BinanceSettings) -> None:
        if binance.base_url.startswith("https://") or checks.is_loopback(binance.base_url):
            return
        if not binance.allow_plain_http:
            given = min(self.given[None, "binance.base_url"], key=lambda given: given.layer)
            exception = "unless binance.allow_plain_http is true"
            raise given.error(f"must begin with https:// (plain http is only for this machine, {exception})")
        self._warn(f"binance.allow_plain_http is on: keys and balances travel unencrypted to {binance.base_url}")


def _new_name(given: Given) -> str:
    name = cast("str", given.account)
    return name.lower() if given.layer is Layer.ENVIRONMENT else name


def _how_to_give(account: str, key: str) -> str:
    plain = next((v for v, k in MAIN_VARIABLES.items() if k == key and account == MAIN_ACCOUNT), None)
    variable = plain or f"{ACCOUNTS_PREFIX}{same_name(account).upper()}__{key.upper()}"
    other = ", or its private_key" if key == "api_secret" else ""
    return f"set {key} or {key}_file in [accounts.{account}], or {variable}{other}"
