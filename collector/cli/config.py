"""Commands that write and show the configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector.cli.context import App, complain, database_option, interval_option, pass_app

if TYPE_CHECKING:
    from collector.config.values import Settings, SourceLine


@click.group()
def config() -> None:
    """Write and show the configuration."""


@config.command()
@click.option("--path", type=click.Path(path_type=Path), metavar="FILE", help="Where to write it.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@pass_app
def init(app: App, path: Path | None, *, force: bool) -> None:
    """Write a configuration file to fill in, readable by you alone."""
    from collector.config.template import write_template

    target = (path or _named(app)).expanduser().absolute()
    write_template(target, replace=force)
    click.echo(target)
    complain("put the key of each account into this file, then run `collector check`")


@config.command()
@click.option("--json", is_flag=True, help="One JSON object.")
@database_option
@interval_option
@pass_app
def show(app: App, *, json: bool) -> None:
    """Show each value and where it comes from; secrets are ***."""
    settings = app.settings()
    click.echo(_json(settings) if json else _text(settings.sources, aligned=sys.stdout.isatty()))


@config.command()
@pass_app
def path(app: App) -> None:
    """Show which configuration file is used, or where it would be."""
    from collector.config.loading import find_config

    found = find_config(app.config, app.environ)
    click.echo((found or _named(app)).absolute())
    if found is None:
        complain("there is no such file yet: `collector config init` writes it")


def _named(app: App) -> Path:
    from collector.config.loading import user_config_file

    variable = app.environ.get("COLLECTOR_CONFIG")
    return app.config or (Path(variable) if variable else user_config_file())


def _json(settings: Settings) -> str:
    import msgspec

    file = settings.config_file and str(settings.config_file.absolute())
    report = {"config_file": file, "values": settings.sources, "warnings": settings.warnings}
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def _text(lines: tuple[SourceLine, ...], *, aligned: bool) -> str:
    rows = [(line.key, _shown(line.value), line.source) for line in lines]
    if not aligned:
        return "\n".join("\t".join(row) for row in rows)
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{key:<{first}}  {value:<{second}}  {source}" for key, value, source in rows)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
