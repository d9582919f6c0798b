"""Where the configuration file is, and Settings from it and all other sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path, user_data_path

from collector.config.resolve import Resolver
from collector.config.sources import CONFIG_VARIABLE
from collector.config.values import Settings
from collector.errors import ConfigError

SYSTEM_FILE = Path("/etc/collector/config.toml")


def load(
    *,
    path: Path | None = None,
    environ: Mapping[str, str],
    flags: Mapping[str, str] | None = None,
    accounts: bool = True,
) -> Settings:
    """Settings from flags, environment, systemd credentials and a TOML file, in this order of strength.

    `path` is a file that must exist; None looks at COLLECTOR_CONFIG and the usual places. `flags` maps keys like
    "interval" to text. With `accounts` false no account's secrets are read and Settings has no accounts: for commands
    that only read the database and may run as another user. ConfigError (UsageError for a flag) holds one sentence.
    """
    config_file = find_config(path, environ)
    folder = environ.get("CREDENTIALS_DIRECTORY")
    resolver = Resolver(
        config_file=config_file,
        credentials=Path(folder) if folder else None,
        default_database=default_database_file(),
    )
    resolver.gather(environ, flags or {})
    return resolver.settings(with_accounts=accounts)


def find_config(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file that is used, or None without one; ConfigError for a named one that is missing."""
    named = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named is None:
        return next((file for file in (user_config_file(), SYSTEM_FILE) if _is_there(file)), None)
    named = named.expanduser()
    if not _is_there(named):
        by = "--config" if path else CONFIG_VARIABLE
        make_it = f"write it with `collector config init --path {named}`"
        raise ConfigError(f"the configuration file {named} named by {by} does not exist: {make_it}")
    return named


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as e:  # its folder is closed to this user
        raise ConfigError(f"the configuration file {file} can't be read: {e.strerror}") from e


def user_config_file() -> Path:
    """Where the user's own configuration file is looked for."""
    return user_config_path("collector", appauthor=False) / "config.toml"


def default_database_file() -> Path:
    """The SQLite file that is used when no database is configured."""
    return user_data_path("collector", appauthor=False) / "collector.db"
