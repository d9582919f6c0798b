"""The table [rename] and the time zone of the configuration."""

from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.config.loading import load
from collector.config.template import template
from collector.config.values import Settings
from collector.domain.renames import NO_RENAMES, Rename
from collector.errors import ConfigError


def loaded(folder: Path, toml: str) -> Settings:
    """What a file with this text configures."""
    path = folder / "c.toml"
    path.write_text(toml)
    path.chmod(0o600)
    return load(path=path, environ={}, accounts=False)


@pytest.mark.parametrize("day", ["2022-05-28", '"2022-05-28"', "2022-05-28T00:00:00Z", '"2022-05-28T02:00:00+02:00"'])
def test_a_rename_is_the_old_name_and_the_day(tmp_path: Path, day: str) -> None:
    """As TOML writes dates, or as text; a day begins at midnight UTC."""
    settings = loaded(tmp_path, f'[rename]\nLUNC = {{ from = "LUNA", on = {day} }}\n')
    assert settings.renames.entries == (Rename(old="LUNA", new="LUNC", on_s=1_653_696_000),)
    (line,) = [line for line in settings.sources if line.key == "rename.LUNC"]
    assert (line.value, line.source) == ("LUNA before 2022-05-28T00:00:00Z", str(tmp_path / "c.toml"))


def test_without_the_table_nothing_is_renamed(tmp_path: Path) -> None:
    """And the template's example is off."""
    assert loaded(tmp_path, "").renames == load(environ={}, accounts=False).renames == NO_RENAMES
    assert loaded(tmp_path, template()).renames == NO_RENAMES


FORM = 'must say the old name and the day of the change: LUNC = { from = "LUNA", on = 2022-05-28 }'
ON = "on must be a date like 2022-05-28 or an instant like 2022-05-28T06:00:00Z"


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('[rename]\nLUNC = "LUNA"', f"rename.LUNC in FILE {FORM}"),
        ('[rename]\nLUNC = { from = "LUNA" }', f"rename.LUNC in FILE {FORM}"),
        ('[rename]\nLUNC = { from = "LUNA", on = 2022-05-28, to = "X" }', f"rename.LUNC in FILE {FORM}"),
        ("[rename]\nLUNC = { from = 3, on = 2022-05-28 }", "rename.LUNC in FILE: must be text in quotes"),
        ('[rename]\nLUNC = { from = "", on = 2022-05-28 }', "rename.LUNC in FILE: must be one asset"),
        ('[rename]\nLUNC = { from = "LUNA", on = 5 }', f"rename.LUNC in FILE: {ON}"),
        ('[rename]\nLUNC = { from = "LUNA", on = 2022-05-28T00:00:00 }', "says nothing of its time zone"),
        ('[rename]\nLUNC = { from = "LUNC", on = 2022-05-28 }', "rename.LUNC in FILE must have another name than"),
        (
            '[rename]\nA = { from = "LUNA", on = 2022-05-28 }\nB = { from = "LUNA", on = 2022-05-28T00:00:00Z }',
            "LUNA gets two names at once in FILE: A and B",
        ),
        ('rename = "LUNC"', "rename in FILE must be a table, like [rename]"),
    ],
)
def test_what_is_no_rename_is_refused(tmp_path: Path, toml: str, sentence: str) -> None:
    """A rename that silently did nothing would show a history that ends."""
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, toml)
    assert sentence in str(refused.value).replace(str(tmp_path / "c.toml"), "FILE")


def test_days_begin_where_the_configuration_says(tmp_path: Path) -> None:
    """UTC unless another zone is named."""
    assert loaded(tmp_path, "").zone is UTC
    assert loaded(tmp_path, 'tz = "Europe/Berlin"').zone == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("name", ["Europe/Berln", "CET+1", "../etc/passwd", "/etc/localtime", "Europe"])
def test_a_time_zone_is_one_of_the_database(tmp_path: Path, name: str) -> None:
    """Not an offset, which would be wrong half of the year."""
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, f'tz = "{name}"')
    assert f"must be a time zone like Europe/Berlin or UTC; it is '{name}'" in str(refused.value)
