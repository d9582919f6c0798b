"""The contracts of the code hold, and would be noticed if they did not."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "collector"
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"
HEAVY = ["requests", "sqlalchemy", "apscheduler", "click"]

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

ONE_WAY = "one way only"
PURE = "pure modules know neither network nor database"
APART = "the sandbox stands apart"


def lint_imports(folder: Path) -> str:
    """What import-linter says about the copy of the package in this folder."""
    command: list[str | Path] = [LINT_IMPORTS, "--no-cache", "--config", "pyproject.toml"]
    clean = {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def copied_package(tmp_path: Path) -> Path:
    """A folder that holds a copy of the package, to plant something in."""
    shutil.copytree(PACKAGE, tmp_path / "collector", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_imports_keep_their_contracts(copied_package: Path) -> None:
    """Whoever reads a module needs to know only what lies below it."""
    said = lint_imports(copied_package)
    assert "Contracts: 3 kept, 0 broken." in said, said


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("domain/ticks.py", "import collector.storage.engine", ONE_WAY),
        ("storage/engine.py", "import collector.binance.wire", ONE_WAY),
        ("sandbox/planted.py", "import collector.binance.signing", ONE_WAY),
        ("errors.py", "import collector.domain.ticks", ONE_WAY),
        ("new_thing.py", "import collector.errors", ONE_WAY),
        ("domain/ticks.py", "import requests", PURE),
        ("binance/signing.py", "import sqlalchemy", PURE),
        ("binance/wire.py", "import collector.binance.client", PURE),
        ("storage/engine.py", "import collector.sandbox", APART),
    ],
)
def test_a_forbidden_import_is_noticed(copied_package: Path, module: str, line: str, broken: str) -> None:
    """A contract that cannot fail protects nothing."""
    with (copied_package / "collector" / module).open("a") as source:
        source.write(f"\n{line}\n")
    assert re.search(rf"{broken}.* BROKEN", lint_imports(copied_package))


def test_pure_modules_load_neither_network_nor_database() -> None:
    """import-linter does not see what a package's `__init__` drags in; Python does."""
    pure = next(c for c in CONTRACTS if c["name"] == PURE)["source_modules"]
    modules = [name for name in pure if name.startswith("collector.binance.")]
    assert len(modules) >= 10
    for package in ("domain", "reports"):
        modules += [f"collector.{package}.{path.stem}" for path in sorted((PACKAGE / package).glob("[a-z]*.py"))]
    code = (
        "import importlib, json, sys\n"
        f"loads = {{m: [h for h in {HEAVY} if importlib.import_module(m) and h in sys.modules] for m in {modules}}}\n"
        "print(json.dumps(loads))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == {module: [] for module in modules}


def test_package_init_files_are_empty() -> None:
    """Else an import of one module loads others, and the contracts hold on paper only."""
    files = [path for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    assert files
    assert [path for path in files if not _at_most_a_docstring(path)] == []


def _at_most_a_docstring(path: Path) -> bool:
    tree = ast.parse(path.read_text())
    return len(tree.body) == (0 if ast.get_docstring(tree) is None else 1)


def test_each_line_left_out_of_coverage_says_why() -> None:
    """The gate counts for something only if its exceptions can be judged."""
    pragma = re.compile(r"pragma: no (?:cover|branch)(?! - \w)")
    folders = ("collector", "migrations")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    bare = [
        f"{path}:{n}"
        for path in files
        for n, line in enumerate(path.read_text().splitlines(), 1)
        if pragma.search(line)
    ]
    assert bare == []
