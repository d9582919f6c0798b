"""The files in deploy/: what can be tried of them where neither systemd nor a container engine runs."""

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def service() -> dict[str, str]:
    """The section [Service] of the unit."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # the way that configparser documents
    unit.read(ROOT / "deploy" / "collector.service")
    return dict(unit["Service"])


def test_the_unit_starts_again_but_for_what_only_people_mend(service: dict[str, str]) -> None:
    """With 6 the database is away, with 75 another process still collects: both pass by themselves."""
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"].split() == ["2", "4", "5"]


def test_the_unit_lets_a_start_take_its_time_and_an_end_its_five_seconds(service: dict[str, str]) -> None:
    """A migration that systemd kills after 90 s would begin anew for ever."""
    assert (service["Type"], service["TimeoutStartSec"], service["TimeoutStopSec"]) == ("notify", "infinity", "15")


def test_the_image_installs_the_versions_of_the_lock() -> None:
    """pip takes no hashes in constraints for a package that is a folder: they are filtered out, and nothing else is."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    (command,) = re.findall(r"^RUN (sed .*) > constraints\.txt$", dockerfile, re.MULTILINE)
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    lines = [line for line in done.stdout.splitlines() if not line.lstrip().startswith("#")]
    pinned = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert [Requirement(line).name for line in lines] == pinned
    assert {"sqlalchemy", "psycopg", "psycopg-binary", "hatchling"} <= set(pinned)


def test_the_image_is_made_of_files_that_are_there_and_are_let_through() -> None:
    """A file that is ignored or was renamed would only show where somebody builds the image."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--)(.*) \S+$", dockerfile, re.MULTILINE) for name in line.split()]
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    assert sorted(copied) == sorted(line[1:] for line in ignored if line.startswith("!"))
    assert all((ROOT / name).exists() for name in copied)
    assert {"pyproject.toml", "README.md", "LICENSE", "collector", "migrations"} <= set(copied)
