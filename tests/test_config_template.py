"""The file that `config init` writes is complete, and works once its account is filled in."""

import errno
import os
import re
import tomllib
from pathlib import Path
from typing import NoReturn

import pytest

from collector.config.keys import ACCOUNT_KEYS, PLAIN_KEYS
from collector.config.loading import load
from collector.config.template import template, write_template
from collector.errors import ConfigError, UsageError


def test_every_key_stands_in_the_template() -> None:
    """People look up what there is in their own file."""
    everything = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", template(), flags=re.MULTILINE))
    binance, account = everything.pop("binance"), everything.pop("accounts")["main"]
    plain = [*everything, *(f"binance.{key}" for key in binance)]
    assert plain == [key.name for key in PLAIN_KEYS]
    assert {key.removesuffix("_file") for key in account} == {key.name for key in ACCOUNT_KEYS}


def test_the_template_changes_nothing_but_the_account(tmp_path: Path) -> None:
    """What is off shows the default, so that switching it on changes nothing either."""
    text = template().replace("PASTE-THE-", "")
    (tmp_path / "c.toml").write_text(text)
    (tmp_path / "c.toml").chmod(0o600)
    settings = load(path=tmp_path / "c.toml", environ={})
    assert [account.name for account in settings.accounts] == ["main"]
    assert {line.source for line in settings.sources if not line.key.startswith("accounts.main.api_")} == {"default"}
    for line in settings.sources:
        if line.key not in {"database", "spool", "workers", "prices"} and not line.key.startswith("accounts."):
            shown = str(line.value).lower() if not isinstance(line.value, str) else f'"{line.value}"'
            assert f"# {line.key.removeprefix('binance.')} = {shown}\n" in text


def test_a_template_that_nobody_filled_in_is_named(tmp_path: Path) -> None:
    """`check` and `run` say what is left to do, before Binance says it in its own words."""
    write_template(tmp_path / "c.toml", replace=False)
    with pytest.raises(ConfigError, match=r"accounts\.main\.api_key in .* is still the placeholder"):
        load(path=tmp_path / "c.toml", environ={})


def test_only_its_owner_can_read_the_file_and_the_folders_made_for_it(tmp_path: Path) -> None:
    """It will hold the keys."""
    path = tmp_path / "one/two/c.toml"
    write_template(path, replace=False)
    assert [p.stat().st_mode & 0o777 for p in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]


def test_a_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    """Nobody's keys may vanish; a replaced file is closed to others even if it was open."""
    path = tmp_path / "c.toml"
    path.write_text("mine")
    path.chmod(0o644)
    with pytest.raises(UsageError, match=f"{path} is there already: edit it, or replace it with --force"):
        write_template(path, replace=False)
    assert path.read_text() == "mine"
    write_template(path, replace=True)
    assert path.read_text() == template()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("replace", [False, True])
def test_a_disk_that_is_full_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, replace: bool) -> None:
    """Neither do the keys in the old file vanish, nor does an empty one stand in the way of the next attempt."""
    path = tmp_path / "c.toml"
    if replace:
        path.write_text("mine")

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(ConfigError, match=r"c\.toml can't be written: No space left on device"):
        write_template(path, replace=replace)
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == ({"c.toml": "mine"} if replace else {})


def test_a_link_to_the_file_is_followed(tmp_path: Path) -> None:
    """Where it leads was somebody's choice."""
    (tmp_path / "real.toml").write_text("mine")
    (tmp_path / "c.toml").symlink_to("real.toml")
    write_template(tmp_path / "c.toml", replace=True)
    assert (tmp_path / "real.toml").read_text() == template()
    assert (tmp_path / "c.toml").is_symlink()


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """The folder may be somebody else's, or no folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"configuration file .*/file/c\.toml can't be written: Not a directory"):
        write_template(tmp_path / "file/c.toml", replace=False)
