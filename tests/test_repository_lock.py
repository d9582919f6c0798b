"""requirements.lock pins everything that a clone installs, for whoever and wherever that is."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
ENTRIES = re.findall(
    r"^([a-z0-9-]+)==(\S+)(?: ;[^\\]*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", LOCK, re.MULTILINE
)
PINNED = {name: version for name, version, _ in ENTRIES}
DECLARED = [
    *PROJECT["build-system"]["requires"],
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["postgres"],
    *PROJECT["dependency-groups"]["dev"],
]


@pytest.mark.parametrize("declared", DECLARED)
def test_what_is_declared_is_pinned(declared: str) -> None:
    """A clone gets what pyproject.toml asks for, the build backend included; else `make lock` was forgotten."""
    requirement = Requirement(declared)
    assert PINNED[canonicalize_name(requirement.name)] in requirement.specifier


def test_every_entry_has_a_hash() -> None:
    """What is installed is what was tried, whoever serves it."""
    assert len(ENTRIES) == len(re.findall(r"^\S+==", LOCK, re.MULTILINE))
    assert len(ENTRIES) > 40


def test_the_lock_names_no_place_to_download_from() -> None:
    """Everybody uses the index that they have configured."""
    assert not re.search(r"://|^ *--(?!hash)|@ ", LOCK, re.MULTILINE)


def test_the_core_needs_at_most_thirty_distributions() -> None:
    """Each one is something to trust and to keep up to date."""
    found: set[str] = set()
    wanted = {"binance-asset-collector"}
    while wanted:
        name = wanted.pop()
        found.add(name)
        needed = [Requirement(text) for text in metadata.requires(name) or []]
        # An extra that somebody asks for, like alembic's of SQLAlchemy, would appear here; none does today.
        wanted |= {
            canonicalize_name(r.name) for r in needed if not r.marker or r.marker.evaluate({"extra": ""})
        } - found
    assert len(found - {"binance-asset-collector"}) <= 30
    assert found - {"binance-asset-collector"} <= set(PINNED)
