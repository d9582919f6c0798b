"""The configuration file that `collector config init` writes, and how it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from collector.config.checks import PLACEHOLDER
from collector.config.keys import ACCOUNT_KEYS, PLAIN_KEYS, Key
from collector.config.renames import EXAMPLE, TABLE
from collector.errors import ConfigError, UsageError

# What an account needs is there to be filled in; the rest is off and shows an example.
_REQUIRED = {"api_key": f"{PLACEHOLDER}THE-API-KEY", "api_secret": f"{PLACEHOLDER}THE-SECRET-KEY"}
_EXAMPLES: dict[str, str | int | bool | list[str]] = {
    "database": "collector.db",
    "spool": "collector.db.spool",
    "workers": 4,
    "prices": ["USDT", "EUR"],
    "private_key_file": "main.pem",
    "passphrase_file": "main.passphrase",
    "asset": "BTC",
    "paused": True,
}


def template() -> str:
    """A complete file in TOML: every key with what it means, and one account to fill in."""
    return "\n".join([*_lines(), ""])


def write_template(path: Path, *, replace: bool) -> None:
    """Write the template where only its owner can read it, making folders on the way.

    UsageError when there is a file that may not be replaced, ConfigError when the file can't be written.
    """
    try:
        _make_folders(path.parent)
        if replace:
            _replace(path.resolve())
        else:
            _write(path)
    except FileExistsError as e:
        raise UsageError(f"{e.filename} is there already: edit it, or replace it with --force") from e
    except OSError as e:
        raise ConfigError(f"the configuration file {path} can't be written: {e.strerror}") from e


def _replace(path: Path) -> None:
    """A file beside it takes its name once it is whole: a full disk must not cost the keys in the old one."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    _write(new)
    new.replace(path)


def _write(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(template())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _make_folders(folder: Path) -> None:
    for missing in [f for f in reversed([folder, *folder.parents]) if not f.exists()]:
        missing.mkdir(mode=0o700)


def _lines() -> Iterator[str]:
    yield "# The collector's configuration. A line that begins with # is off and shows the default or an example."
    yield "# `collector config show` tells what is in force, and `collector check` tries it."
    for key in PLAIN_KEYS:
        if "." not in key.name:
            yield from ("", f"# {_sentence(key)}", f"# {key.name} = {_toml(_example(key))}")
    yield from ("", "[binance]")
    for key in PLAIN_KEYS:
        if "." in key.name:
            yield from (f"# {_sentence(key)}", f"# {key.name.removeprefix('binance.')} = {_toml(_example(key))}")
    yield from ("", "# One table for each account; its name is yours to choose. A key that may only read is enough.")
    yield "# A secret can stand in a file of its own: api_key_file, api_secret_file, private_key_file, passphrase_file."
    yield "[accounts.main]"
    for key in ACCOUNT_KEYS:
        yield from _account_lines(key)
    yield from (
        "",
        "# Assets that got another name, and the first day of the new one.",
        f"# [{TABLE}]",
        f"#   {EXAMPLE}",
    )


def _account_lines(key: Key) -> Iterator[str]:
    if key.name in _REQUIRED:
        yield from (f"# {_sentence(key)}", f"{key.name} = {_toml(_REQUIRED[key.name])}")
    else:
        name = f"{key.name}_file" if key.secret else key.name
        yield from (f"# {_sentence(key)}", f"# {name} = {_toml(_EXAMPLES[name])}")


def _sentence(key: Key) -> str:
    return f"{key.about[:1].upper()}{key.about[1:]}."


def _example(key: Key) -> str | int | float | bool | list[str]:
    return _EXAMPLES[key.name] if key.default is None else key.default


def _toml(value: str | float | bool | list[str]) -> str:  # noqa: FBT001 - a value to be written
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
