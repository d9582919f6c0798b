"""The configuration: Settings from flags, environment, secret files and TOML."""

from collector.config.checks import format_interval
from collector.config.loading import default_database_file, find_config, load, user_config_file
from collector.config.values import AccountSettings, BinanceSettings, Secret, Settings, SourceLine

__all__ = [
    "AccountSettings",
    "BinanceSettings",
    "Secret",
    "Settings",
    "SourceLine",
    "default_database_file",
    "find_config",
    "format_interval",
    "load",
    "user_config_file",
]
