"""Runs the command `collector` as a process of its own, with no configuration but the test's."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

COMMAND = (sys.executable, "-m", "collector")
NOWHERE = "/nonexistent"


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment of this process without anything that configures a collector, and with `variables`."""
    ours = ("COLLECTOR_", "BINANCE_", "XDG_", "CREDENTIALS_DIRECTORY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"XDG_CONFIG_HOME": NOWHERE, "XDG_DATA_HOME": NOWHERE} | variables


def collector(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """What `collector ARGUMENTS` printed, and its exit code; `env` is added to a clean environment."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=clean_environment(**(env or {})),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
