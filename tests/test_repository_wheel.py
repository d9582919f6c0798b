"""The built wheel, installed into an empty environment, can migrate and collect."""

import json
import os
import sqlite3
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def build(target: str, source: Path, folder: Path) -> Path:
    """Builds an sdist or a wheel with the backend that is installed, without any network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(command, cwd=source, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.tar.gz" if target == "sdist" else "*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it comes out of the sdist, so that the sdist has to hold all that it takes."""
    folder = tmp_path_factory.mktemp("build")
    with tarfile.open(build("sdist", ROOT, folder)) as archive:
        # Python before 3.11.4 knows no filters; some later ones warn of extracting without.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(folder / "source")  # noqa: S202 - the archive is our own
    (source,) = (folder / "source").iterdir()
    return build("wheel", source, folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An environment that holds the wheel and sees the libraries, but not the checkout."""

    folder: Path
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """What a service would have: a path, a home, nothing of the tests' own."""
        return {"PATH": os.defpath, "HOME": str(self.home), "LC_ALL": "C.UTF-8", **more}

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment in a folder that has nothing to do with the checkout."""
        command = [str(self.folder / "bin" / arguments[0]), *arguments[1:]]
        return subprocess.run(
            command, cwd=self.home, env=self.environment(**more), capture_output=True, text=True, check=False
        )

    @contextmanager
    def sandbox(self) -> Iterator[dict[str, str]]:
        """Runs `collector sandbox`; gives the variables that make the collector use it."""
        command = [str(self.folder / "bin" / "collector"), "sandbox", "--port", "0", "--seed", "1"]
        with subprocess.Popen(command, cwd=self.home, env=self.environment(), stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout
                said = json.loads(process.stdout.readline())
                (account,) = said["accounts"]
                yield {
                    "COLLECTOR_BINANCE__BASE_URL": said["base_url"],
                    "BINANCE_API_KEY": account["api_key"],
                    "BINANCE_API_SECRET": account["api_secret"],
                }
            finally:
                process.terminate()
                process.wait(timeout=30)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A new environment with the wheel; the libraries come from the tests' own by a path entry."""
    folder, home = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("home")
    venv.create(folder, symlinks=True)
    (python,) = folder.glob("lib/python*")
    (python / "site-packages" / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--no-deps", "--no-index", "--quiet"]
    done = subprocess.run([*pip, str(wheel)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Installed(folder=folder, home=home)


def test_the_wheel_holds_the_package_and_its_migrations(wheel: Path) -> None:
    """What is not in the wheel is missed only where it is installed."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert tops == {"collector", "binance_asset_collector-0.1.0.dist-info"}
    assert {"collector/py.typed", "collector/cli/main.py", "collector/migrations/env.py"} <= names
    assert [name for name in names if name.startswith("collector/migrations/versions/") and name.endswith(".py")]
    assert "binance_asset_collector-0.1.0.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if "__pycache__" in name]


def test_the_installed_package_is_the_wheels_own(installed: Installed) -> None:
    """The other tests here would prove nothing if the checkout were what runs."""
    found = installed.run("python", "-c", "import collector; print(collector.__file__)")
    assert Path(found.stdout).is_relative_to(installed.folder), found.stderr
    version = installed.run("collector", "--version")
    assert version.stdout.split()[-1] == "0.1.0", version.stderr


def test_the_installed_wheel_can_migrate(installed: Installed, tmp_path: Path) -> None:
    """The migrations are found without a checkout, from whatever folder."""
    path = tmp_path / "new.db"
    done = installed.run("collector", "db", "upgrade", COLLECTOR_DATABASE=f"sqlite:///{path}")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert {"account", "tick", "balance", "missed", "latest_balance", "gap"} <= names


def test_the_installed_wheel_can_collect(installed: Installed, tmp_path: Path) -> None:
    """From key to stored row, with nothing but what a user has."""
    path = tmp_path / "new.db"
    with installed.sandbox() as variables:
        for command in (["db", "upgrade"], ["once"]):
            done = installed.run("collector", *command, COLLECTOR_DATABASE=f"sqlite:///{path}", **variables)
            assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(path)) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM latest_balance")
    assert rows > 0
