"""The command `collector`: finds the subcommand, and turns errors into one sentence and an exit code."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click

from collector.cli.context import App, complain
from collector.cli.streams import EXIT_READER_GONE, buffer_stdout, flushed, is_about_output, lost, occupy_closed
from collector.errors import EXIT_USAGE, CollectorError, ConfigError

PROGRAM = "collector"
PREFIX = "COLLECTOR"
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count it
OBJECTS_AT_START = 100_000
"""More than a report imports: to look for garbage among them, of which there is none, takes 7 % of its time."""


class Lazy(NamedTuple):
    """A subcommand that is imported when it runs: `module:attribute`, and its line in the help."""

    target: str
    about: str


COMMANDS = {
    "run": Lazy("collector.cli.run:run", "Collect every account at every tick, until stopped."),
    "once": Lazy("collector.cli.once:once", "Take one snapshot now."),
    "check": Lazy("collector.cli.check:check", "Try configuration, clock, keys and database."),
    "latest": Lazy("collector.cli.latest:latest", "Show the newest snapshot, or that of an instant."),
    "history": Lazy("collector.cli.history:history", "Show one asset over time."),
    "diff": Lazy("collector.cli.changes:diff", "Show what differs between two instants."),
    "changes": Lazy("collector.cli.changes:changes", "Show every movement of amounts."),
    "total": Lazy("collector.cli.total:total", "Show what accounts are worth."),
    "allocation": Lazy("collector.cli.latest:allocation", "Show each asset's share of the value."),
    "withdrawing": Lazy("collector.cli.withdrawing:withdrawing", "Show what is being withdrawn, and for how long."),
    "statement": Lazy("collector.cli.statement:statement", "Show a month for the accountant."),
    "gaps": Lazy("collector.cli.coverage:gaps", "Show when nothing was collected, and why."),
    "coverage": Lazy("collector.cli.coverage:coverage", "Show how many ticks have their snapshot."),
    "sql": Lazy("collector.cli.sql:sql", "Run one query, which can't change anything."),
    "export": Lazy("collector.cli.export:export", "Write a whole range as CSV, NDJSON or Parquet."),
    "status": Lazy("collector.cli.status:status", "Tell whether collecting works."),
    "demo": Lazy("collector.cli.demo:demo", "Show all of it on a make-believe exchange."),
    "db": Lazy("collector.cli.db:db", "Make, upgrade and look after the database."),
    "keygen": Lazy("collector.cli.keygen:keygen", "Make a key pair for Binance."),
    "spool": Lazy("collector.cli.spool:spool", "Look at what waits while the database is away."),
    "config": Lazy("collector.cli.config:config", "Write and show the configuration."),
    "sandbox": Lazy("collector.cli.sandbox:sandbox", "Serve a Binance-compatible exchange on this machine."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand only when it runs, not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click passes it
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        _name_variables(command, f"{PREFIX}_{cmd_name.upper()}_")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click passes it
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.about) for name, command in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        command = self.get_command(ctx, name)
        if command:
            _refuse_unknown_variables(command, f"{PREFIX}_{name.upper()}_")
        elif not ctx.resilient_parsing:  # the shell's completion asks for words that are not finished
            raise click.UsageError(f"no such command {name!r}: {_suggestion(name, COMMANDS)}", ctx)
        return name, command, args[1:]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would end with 1, which means something else here
            raise click.exceptions.Exit(EXIT_READER_GONE) from None


@click.group(
    cls=LazyGroup,
    name=PROGRAM,
    context_settings={"auto_envvar_prefix": PREFIX, "help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each option of a command is an environment variable too: COLLECTOR_<COMMAND>_<OPTION>.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    allow_from_autoenv=False,
    help="The configuration file.  [env var: COLLECTOR_CONFIG]",
)
@click.option(
    "--log-level",
    type=click.Choice(("debug", "info", "warning", "error"), case_sensitive=False),
    allow_from_autoenv=False,
    help="How much is logged.  [env var: COLLECTOR_LOG_LEVEL]",
)
@click.version_option(
    package_name="binance-asset-collector",
    prog_name=PROGRAM,
    message="%(prog)s %(version)s",
    allow_from_autoenv=False,
)
@click.pass_context
def cli(ctx: click.Context, config_file: Path | None, log_level: str | None) -> None:
    """Keep every answer of Binance's getUserAsset, exactly and at a fixed interval, in a SQL database."""
    app = App(environ=_without_options(os.environ.copy()), config=config_file)
    if log_level:
        app.flags["log_level"] = log_level
    ctx.obj = app


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    gc.set_threshold(OBJECTS_AT_START)
    occupy_closed()
    buffer_stdout()
    code = run(sys.argv[1:])
    if threading.active_count() == 1:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """End as Python does, but without taking all modules apart, which is a third of the time of a short report."""
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to do only this
    with suppress(OSError, ValueError, AttributeError):  # nobody reads it any more, or it is closed
        sys.stderr.flush()
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """The exit code of a command line; only a bug leaves as an exception."""
    try:
        result = cli.main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except CollectorError as e:
        complain(str(e))
        code = e.exit_code
    except click.exceptions.NoArgsIsHelpError as e:
        click.echo(e.format_message(), err=True)
        code = EXIT_USAGE
    except click.ClickException as e:
        complain(_sentence(e))
        code = e.exit_code
    except click.Abort:
        code = EXIT_INTERRUPTED
    except OSError as e:
        if not is_about_output(e):
            raise
        return lost(e)
    return flushed(code)


def _sentence(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context else ""
    return message[:1].lower() + message[1:] + hint


def _without_options(environ: dict[str, str]) -> dict[str, str]:
    """The environment without variables that stand for options of commands: they are no configuration."""
    prefixes = tuple(f"{PREFIX}_{name.upper()}_" for name in COMMANDS)
    return {name: value for name, value in environ.items() if not name.startswith(prefixes)}


def _refuse_unknown_variables(command: click.Command, prefix: str) -> None:
    """A misspelt variable would silently do nothing."""
    known = list(_variables(command, prefix))
    for name in os.environ:
        if name.startswith(prefix) and name not in known:
            hint = _suggestion(name, known) if known else f"{command.name} has no options that could be variables"
            raise ConfigError(f"unknown environment variable {name}: {hint}")


def _name_variables(command: click.Command, prefix: str) -> None:
    """Give each option the variable of its own name; click would take the name of the function's parameter."""
    for option in command.params:
        if isinstance(option, click.Option) and option.allow_from_autoenv:
            option.envvar = _variable(option, prefix)
    for name, below in command.commands.items() if isinstance(command, click.Group) else ():
        _name_variables(below, f"{prefix}{name.upper()}_")


def _variable(option: click.Option, prefix: str) -> str:
    return prefix + max(option.opts, key=len).lstrip("-").replace("-", "_").upper()


def _variables(command: click.Command, prefix: str) -> list[str]:
    inner = command.commands.items() if isinstance(command, click.Group) else ()
    own = [option for option in command.params if isinstance(option, click.Option) and option.allow_from_autoenv]
    return [_variable(option, prefix) for option in own] + [
        variable for name, below in inner for variable in _variables(below, f"{prefix}{name.upper()}_")
    ]


def _suggestion(word: str, known: Sequence[str] | dict[str, Lazy]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
