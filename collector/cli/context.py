"""What every command receives, and the options that many of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collector.config.values import Settings

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True, kw_only=True)
class App:
    """What the command line says about the configuration, until a command asks for it.

    `flags` maps keys of the configuration to the text given for them; `environ` lacks the variables that stand for
    options of commands.
    """

    environ: Mapping[str, str]
    config: Path | None = None
    flags: dict[str, str] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)

    def settings(self, *, accounts: bool = True, warn: bool = True) -> Settings:
        """The configuration; its warnings go to stderr, each once.

        A command that only reads the database asks with `accounts` false: no account's secrets are needed then. One
        that shows the warnings itself asks with `warn` false.
        """
        from collector.config.loading import load

        settings = load(path=self.config, environ=self.environ, flags=self.flags, accounts=accounts)
        for sentence in settings.warnings if warn else ():
            if sentence not in self._warned:
                self._warned.add(sentence)
                complain(f"warning: {sentence}")
        return settings


pass_app = click.make_pass_decorator(App)


def complain(sentence: str) -> None:
    """One line on stderr that names the program; where nobody can receive it, the exit code still tells."""
    with suppress(OSError):
        click.echo(f"collector: {' '.join(sentence.splitlines())}", err=True)


def settings_option(key: str, metavar: str, explanation: str) -> Callable[[F], F]:
    """An option that stands for a key of the configuration, for this command only."""
    option = "--" + key.replace("_", "-")

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.ensure_object(App).flags[key] = value

    # The variable is read with the rest of the configuration, which knows which source is the stronger one.
    return click.option(
        option,
        metavar=metavar,
        expose_value=False,
        allow_from_autoenv=False,
        callback=keep,
        help=f"{explanation}  [env var: COLLECTOR_{key.upper()}]",
    )


database_option = settings_option("database", "URL", "SQLite file or database URL.")
interval_option = settings_option("interval", "INTERVAL", "Time between two ticks, like 30s, 5m or 1h.")
