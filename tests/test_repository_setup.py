"""The set-up finds a Python that works, or says in one sentence how to get one."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = ("sh", "grep", "id")


def find_python(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the search with nothing but this folder on the search path."""
    for tool in TOOLS:
        found = next(Path(path) / tool for path in os.defpath.split(":") if (Path(path or "/bin") / tool).exists())
        (folder / tool).symlink_to(found)
    command = ["/bin/sh", str(ROOT / ".ci" / "find-python")]
    clean = {"PATH": str(folder), **environment}
    return subprocess.run(command, env=clean, capture_output=True, text=True, check=False)


def script(path: Path, text: str) -> None:
    """Writes something that can be run."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_shim_that_fails_is_passed_over(tmp_path: Path) -> None:
    """pyenv puts commands on the path for versions that are not active."""
    script(tmp_path / "python3.14", "echo 'pyenv: python3.14: command not found' >&2; exit 127")
    script(tmp_path / "python3.12", f'exec {shlex.quote(sys.executable)} "$@"')
    found = find_python(tmp_path)
    assert found.returncode == 0
    assert Path(found.stdout.strip()).resolve() == Path(sys.executable).resolve()


def test_the_python_behind_a_virtual_environment_is_taken(tmp_path: Path) -> None:
    """An active .venv must not be emptied by its own Python."""
    found = find_python(tmp_path, PYTHON=sys.executable)
    assert found.returncode == 0
    assert not found.stdout.startswith(sys.prefix)


def test_without_a_python_one_sentence_holds_the_command(tmp_path: Path) -> None:
    """Whoever reads it can paste it."""
    script(tmp_path / "python3", "exit 1")
    script(tmp_path / "apt-get", "exit 1")
    found = find_python(tmp_path)
    sudo = "" if os.geteuid() == 0 else "sudo "
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr == (
        "no Python 3.11 to 3.14 that can make a virtual environment was found: "
        f"run `{sudo}apt-get update && {sudo}apt-get install -y python3 python3-venv`, "
        "or name another with `make PYTHON=/path/to/python3.12 setup`\n"
    )


def test_a_python_that_is_named_is_not_replaced_by_another(tmp_path: Path) -> None:
    """Who names one wants that one, or to know why not."""
    script(tmp_path / "python3", f'exec {shlex.quote(sys.executable)} "$@"')
    found = find_python(tmp_path, PYTHON="python2")
    assert found.returncode == 1
    assert found.stderr == (
        "python2 is not a Python 3.11 to 3.14 that can make a virtual environment: "
        "run `make PYTHON=/path/to/python3.12 setup`\n"
    )


def test_make_alone_lists_what_can_be_made() -> None:
    """The first thing that a newcomer types answers."""
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {line.split()[1] for line in done.stdout.splitlines()}
    assert {"setup", "demo", "test", "lint", "types", "contracts", "check", "lock", "clean"} <= names
