"""docs/configuration.md says what the code does: every key, variable, default and option."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from collector.cli.config import config
from collector.cli.keygen import keygen
from collector.cli.main import cli
from collector.cli.sandbox import sandbox
from collector.config.keys import ACCOUNT_KEYS, MAIN_VARIABLES, PLAIN_KEYS, Key
from collector.config.loading import load
from collector.config.values import Settings

TEXT = (Path(__file__).parent.parent / "docs/configuration.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells
    for cells in ([cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines())
    if cells
}


@pytest.fixture
def defaults() -> Settings:
    """What is in force when nobody configures anything."""
    return load(environ={}, accounts=False)


@pytest.mark.parametrize("key", PLAIN_KEYS, ids=lambda key: key.name)
def test_every_key_has_its_row(key: Key, defaults: Settings) -> None:
    """A key that is not documented does not exist for its users."""
    _, variable, _, default, about = ROWS[f"`{key.name}`"]
    assert variable == f"`COLLECTOR_{key.name.upper().replace('.', '__')}`"
    (shown,) = [line.value for line in defaults.sources if line.key == key.name]
    expected = str(shown).lower() if isinstance(shown, bool) else str(shown)
    assert default == ("see below" if key.name in {"database", "spool", "workers"} else f"`{expected}`")
    assert len(about) > 20
    if key.secret:
        assert f"`{key.name}_file`" in about
        assert f"`COLLECTOR_{key.name.upper()}_FILE`" in about


@pytest.mark.parametrize("key", ACCOUNT_KEYS, ids=lambda key: key.name)
def test_every_key_of_an_account_has_its_row(key: Key) -> None:
    """And each secret its file."""
    assert ROWS[f"`{key.name}`"][1] == f"`COLLECTOR_ACCOUNTS__NAME__{key.name.upper()}`"
    assert (f"`{key.name}_file`" in TEXT) == key.secret
    assert (f"`COLLECTOR_ACCOUNTS__NAME__{key.name.upper()}_FILE`" in TEXT) == key.secret
    assert (f"`NAME.{key.name}`" in TEXT) == key.secret


def test_the_document_has_no_key_that_is_gone() -> None:
    """Its rows are exactly those of the code."""
    keys = {match[1] for first in ROWS if (match := re.fullmatch(r"`([a-z_.]+)`", first))}
    assert keys == {key.name for key in (*PLAIN_KEYS, *ACCOUNT_KEYS)}


def test_the_variables_of_the_single_account_start_are_documented() -> None:
    """They are the first that anyone sets."""
    for variable, key in MAIN_VARIABLES.items():
        assert ROWS[f"`{variable}`, `{variable}_FILE`"][1] == f"`{key}`"


def options(command: click.Command, path: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Each option as `command --option`, with its variable."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from options(inner, f"{path} {name}", f"{prefix}_{name.upper()}")
    for param in command.params:
        if isinstance(param, click.Option) and param.allow_from_autoenv:
            yield f"{path} {param.opts[0]}", f"{prefix}_{str(param.name).upper()}"


def test_every_option_has_its_row() -> None:
    """With the variable that click really reads."""
    rows = {match[1]: cells[1] for first, cells in ROWS.items() if (match := re.match(r"`([a-z ]+--[a-z-]+)", first))}
    documented_here = {"config": config, "keygen": keygen, "sandbox": sandbox}
    ours = {
        option: f"`{variable}`"
        for name, command in documented_here.items()
        for option, variable in options(command, name, f"COLLECTOR_{name.upper()}")
    }
    assert rows == ours


def test_the_options_of_the_program_itself_are_documented() -> None:
    """They stand before the command."""
    for param in cli.params:
        assert f"`{param.opts[0]}" in TEXT
