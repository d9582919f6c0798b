"""What each source gives, key by key, before anything is decided."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

from collector.config import checks
from collector.config.keys import (
    ACCOUNT_KEYS,
    FILE_SUFFIX,
    MAIN_ACCOUNT,
    MAIN_VARIABLES,
    PLAIN_KEYS,
    spellings,
    split_spelling,
    suggestion,
)
from collector.config.renames import TABLE, renames_in
from collector.domain.renames import Renames
from collector.errors import CollectorError, ConfigError, UsageError

CONFIG_VARIABLE = "COLLECTOR_CONFIG"
PREFIX = "COLLECTOR_"
ACCOUNTS_PREFIX = PREFIX + "ACCOUNTS__"
MAX_DOTS = 200
MAX_MIB = 4
"""Room for twenty thousand accounts with their keys; what is longer is something else, like a database."""

# Set by others: Kubernetes describes a service named "collector" in each of its pods, and the tests have their own.
_NOT_OURS = re.compile(r"COLLECTOR_(SERVICE_(HOST|PORT)(_.*)?|PORT(_[0-9]+_(TCP|UDP)(_.*)?)?|TEST_.*)")


class Layer(IntEnum):
    """The sources, the stronger one first."""

    FLAG = 0
    ENVIRONMENT = 1
    CREDENTIAL = 2
    FILE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One value as a source gives it.

    `account` is None for a key that belongs to no account. `where` names key and source for a message, `origin` the
    source alone. `base` is where relative paths start. `names_file`: the value is the path of a file that holds
    the secret.
    """

    key: str
    value: object = field(repr=False)
    layer: Layer
    where: str
    origin: str
    base: Path
    account: str | None = None
    names_file: bool = False

    def error(self, predicate: str) -> CollectorError:
        """The error that says what is wrong with this value."""
        kind = UsageError if self.layer is Layer.FLAG else ConfigError
        return kind(f"{self.where} {predicate}")


def from_flags(flags: Mapping[str, str]) -> Iterator[Given]:
    """Keys given on the command line."""
    for key, value in flags.items():
        option = "--" + key.replace("_", "-")
        yield Given(key=key, value=value, layer=Layer.FLAG, where=option, origin=option, base=Path.cwd())


def from_environment(environ: Mapping[str, str]) -> Iterator[Given]:
    """Keys given by environment variables; an empty variable counts as unset."""
    for variable, value in environ.items():
        if value.strip() and (address := _address(variable)):
            account, key, names_file = address
            yield Given(
                key=key,
                account=account,
                value=value,
                names_file=names_file,
                layer=Layer.ENVIRONMENT,
                where=variable,
                origin=variable,
                base=Path.cwd(),
            )


def from_credentials(folder: Path | None) -> Iterator[Given]:
    """Secrets that systemd put into $CREDENTIALS_DIRECTORY: `database`, and ACCOUNT.KEY like `main.api_key`."""
    for path in _files(folder):
        account, _, spelling = path.name.rpartition(".")
        keys = [key.name for key in (ACCOUNT_KEYS if account else PLAIN_KEYS) if key.secret]
        if spelling in keys:
            where = f"the credential {path}"
            if account:
                _check_name(account, where)
            yield Given(
                key=spelling,
                account=account or None,
                value=str(path),
                names_file=True,
                layer=Layer.CREDENTIAL,
                where=where,
                origin=str(path),
                base=path.parent,
            )


def from_toml(path: Path) -> tuple[list[str], list[Given]]:
    """The accounts that a file has, and what it gives."""
    reader = _TomlReader(path)
    return list(reader.table("accounts")), list(reader.givens())


def renames_from(path: Path) -> Renames:
    """The assets of which a file says that they had another name before."""
    return renames_in(_TomlReader(path).table(TABLE), path)


def same_name(name: str) -> str:
    """What is the same for names that an environment variable can't tell apart."""
    return name.lower().replace("-", "_").replace(".", "_")


class _TomlReader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.tables = _parse(path)

    def givens(self) -> Iterator[Given]:
        plain = spellings(PLAIN_KEYS)
        for word, value in self.tables.items():
            if word == "binance":
                yield from self._plain(
                    {f"binance.{inner}": value for inner, value in self.table("binance").items()}, plain
                )
            elif word not in {"accounts", TABLE}:
                yield from self._plain({word: value}, [*plain, "binance", "accounts", TABLE])
        for name, table in self.table("accounts").items():
            yield from self._account(name, table)

    def table(self, word: str) -> dict[str, object]:
        value = self.tables.get(word, {})
        if not isinstance(value, dict):
            raise ConfigError(
                f"{word} in {self.path} must be a table, like [{word}{'.main' if word == 'accounts' else ''}]"
            )
        return value

    def _plain(self, values: Mapping[str, object], known: list[str]) -> Iterator[Given]:
        for spelling, value in values.items():
            split = split_spelling(spelling, PLAIN_KEYS)
            if split is None:
                raise ConfigError(f"unknown key {spelling!r} in {self.path}: {suggestion(spelling, known)}")
            yield self._given(*split, value, f"{spelling} in {self.path}")

    def _account(self, name: str, table: object) -> Iterator[Given]:
        where = f"accounts.{name} in {self.path}"
        _check_name(name, where)
        if not isinstance(table, dict):
            raise ConfigError(f"{where} must be a table, like [accounts.main]")
        for spelling, value in table.items():
            split = split_spelling(spelling, ACCOUNT_KEYS)
            if split is None:
                hint = f'quote a name that has dots, like [accounts."{name}.{spelling}"]'
                hint = hint if isinstance(value, dict) else suggestion(spelling, spellings(ACCOUNT_KEYS))
                raise ConfigError(f"unknown key {f'accounts.{name}.{spelling}'!r} in {self.path}: {hint}")
            yield self._given(*split, value, f"accounts.{name}.{spelling} in {self.path}", account=name)

    def _given(self, key: str, names_file: bool, value: object, where: str, account: str | None = None) -> Given:  # noqa: FBT001
        return Given(
            key=key,
            account=account,
            value=value,
            names_file=names_file,
            layer=Layer.FILE,
            where=where,
            origin=str(self.path),
            base=self.path.absolute().parent,
        )


def _parse(path: Path) -> dict[str, object]:
    try:
        text = _content(path).decode("utf-8-sig")
        _refuse_long_keys(path, text)
        return tomllib.loads(text)
    except OSError as e:
        raise ConfigError(f"the configuration file {path} can't be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"the configuration file {path} is not UTF-8 text") from e
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise ConfigError(f"the configuration file {path} is not valid TOML: {_lower(str(e))}") from e
    except ValueError as e:  # tomllib lets int() refuse more than 4300 digits
        raise ConfigError(f"the configuration file {path} holds a number that is far too long") from e


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_MIB * 2**20 + 1)
    if len(content) > MAX_MIB * 2**20:
        raise ConfigError(f"the configuration file {path} is longer than {MAX_MIB} MiB: name another one")
    return content


def _refuse_long_keys(path: Path, text: str) -> None:
    """A key of thousands of parts, as a damaged file may have, would keep tomllib busy for minutes."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > MAX_DOTS and not line.lstrip().startswith("#"):
            raise ConfigError(f"line {number} of the configuration file {path} has more than {MAX_DOTS} dots")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _address(variable: str) -> tuple[str | None, str, bool] | None:
    main = _main_address(variable)
    if main or not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or _NOT_OURS.fullmatch(variable):
        return main
    if variable.startswith(ACCOUNTS_PREFIX):
        return _account_address(variable)
    split = split_spelling(variable.removeprefix(PREFIX).lower().replace("__", "."), PLAIN_KEYS)
    if split is None or not variable.isupper():
        _unknown(variable)
    return None, *split


def _main_address(variable: str) -> tuple[str, str, bool] | None:
    stem = variable.removesuffix(FILE_SUFFIX.upper())
    return (MAIN_ACCOUNT, MAIN_VARIABLES[stem], stem != variable) if stem in MAIN_VARIABLES else None


def _account_address(variable: str) -> tuple[str, str, bool]:
    name, _, spelling = variable.removeprefix(ACCOUNTS_PREFIX).rpartition("__")
    split = split_spelling(spelling.lower(), ACCOUNT_KEYS)
    if split is None or not spelling.isupper() or not name:
        _unknown(variable, account=name or "NAME")
    _check_name(name, f"the account in {variable}")
    return name, *split


def _unknown(variable: str, account: str = "NAME") -> NoReturn:
    known = [CONFIG_VARIABLE]
    known += [PREFIX + spelling.upper().replace(".", "__") for spelling in spellings(PLAIN_KEYS)]
    known += [f"{ACCOUNTS_PREFIX}{account}__{spelling.upper()}" for spelling in spellings(ACCOUNT_KEYS)]
    shown = variable if variable.isprintable() else repr(variable)
    raise ConfigError(f"unknown environment variable {shown}: {suggestion(variable, known)}")


def _check_name(name: str, where: str) -> None:
    try:
        checks.account_name(name)
    except ValueError as e:
        raise ConfigError(f"{where} has a name that can't be used: it {e}") from e


def _files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as e:
        raise ConfigError(f"the folder {folder} in CREDENTIALS_DIRECTORY can't be read: {e.strerror}") from e
