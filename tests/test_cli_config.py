"""`config init`, `config show` and `config path`."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.processes import COMMAND, clean_environment, collector

FILE = (
    'interval = "30s"\ndatabase = "postgresql://u:hunter2@h/db"\n[accounts.main]\napi_key = "kkk"\napi_secret = "sss"\n'
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with two kinds of secrets."""
    path = tmp_path / "c.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


def test_init_writes_the_users_own_file(tmp_path: Path) -> None:
    """The real start: init, fill in, check. stdout is the path, for scripts; stderr says what to do."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    done = collector("config", "init", env=environ)
    path = tmp_path / "collector/config.toml"
    assert (done.returncode, done.stdout) == (0, f"{path}\n")
    assert done.stderr == "collector: put the key of each account into this file, then run `collector check`\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert collector("config", "path", env=environ).stdout == f"{path}\n"

    again = collector("config", "init", env=environ)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == f"collector: {path} is there already: edit it, or replace it with --force\n"
    assert collector("config", "init", "--force", env=environ).returncode == 0


@pytest.mark.parametrize("how", ["--path", "COLLECTOR_CONFIG_INIT_PATH", "--config", "COLLECTOR_CONFIG"])
def test_init_writes_where_it_is_told(tmp_path: Path, how: str) -> None:
    """The same words that name the file later name it now."""
    arguments = {
        "--path": ["config", "init", "--path", "new/c.toml"],
        "--config": ["--config", "new/c.toml", "config", "init"],
    }
    environ = {how: "new/c.toml"} if how.startswith("COLLECTOR") else {}
    done = collector(*arguments.get(how, ["config", "init"]), env=environ, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/new/c.toml\n")
    assert (tmp_path / "new/c.toml").stat().st_mode & 0o777 == 0o600


def test_path_tells_where_the_file_would_be(tmp_path: Path) -> None:
    """Nobody should have to guess it."""
    done = collector("config", "path", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/collector/config.toml\n")
    assert done.stderr == "collector: there is no such file yet: `collector config init` writes it\n"


def test_path_of_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """A typo in COLLECTOR_CONFIG must not look like a file."""
    done = collector("config", "path", env={"COLLECTOR_CONFIG": str(tmp_path / "x.toml")})
    assert (done.returncode, done.stdout) == (4, "")
    assert "named by COLLECTOR_CONFIG does not exist" in done.stderr


def test_show_gives_each_value_with_its_source(config: Path) -> None:
    """The first question about any configuration is where a value came from; no secret is shown."""
    done = collector(
        "config", "show", "--interval", "1h", env={"COLLECTOR_CONFIG": str(config), "COLLECTOR_WORKERS": "4"}
    )
    assert done.returncode == 0
    assert done.stderr == ""
    shown = re.sub(r"db-[0-9a-f]{12}\.spool", "db-OF-ITS-URL.spool", done.stdout)
    assert shown == (
        "interval\t1h\t--interval\n"
        f"database\tpostgresql+psycopg://u:***@h/db\t{config}\n"
        "spool\t/nonexistent/collector/db-OF-ITS-URL.spool\tdefault\n"
        "spool_max_mb\t256\tdefault\n"
        "spool_min_free_mb\t64\tdefault\n"
        "tz\tUTC\tdefault\n"
        "prices\tnone\tdefault\n"
        "log_level\tinfo\tdefault\n"
        "workers\t4\tCOLLECTOR_WORKERS\n"
        "binance.base_url\thttps://api.binance.com\tdefault\n"
        "binance.recv_window_ms\t5000\tdefault\n"
        "binance.weight_per_minute\t12000\tdefault\n"
        "binance.headroom\t0.05\tdefault\n"
        "binance.btc_valuation\ttrue\tdefault\n"
        "binance.allow_plain_http\tfalse\tdefault\n"
        f"accounts.main.api_key\t***\t{config}\n"
        f"accounts.main.api_secret\t***\t{config}\n"
        "accounts.main.paused\tfalse\tdefault\n"
    )


def test_show_gives_json_for_programs(config: Path) -> None:
    """Values keep their types; warnings are part of it."""
    config.chmod(0o644)
    done = collector("config", "show", "--json", env={"COLLECTOR_CONFIG": str(config)})
    report = json.loads(done.stdout)
    sentence = f"others can read {config}, which holds a secret: chmod 600 {config}"
    assert report["config_file"] == str(config)
    assert report["values"][0] == {"key": "interval", "value": "30s", "source": str(config)}
    assert {"key": "workers", "value": 1, "source": "default"} in report["values"]
    assert report["warnings"] == [sentence]
    assert done.stderr == f"collector: warning: {sentence}\n"
    for secret in ("hunter2", "kkk", "sss"):
        assert secret not in done.stdout + done.stderr


def test_show_without_a_file_is_all_defaults() -> None:
    """That is a configuration too."""
    report = json.loads(collector("config", "show", "--json").stdout)
    assert report["config_file"] is None
    assert {line["source"] for line in report["values"]} == {"default"}


def test_show_aligns_its_columns_on_a_terminal(config: Path) -> None:
    """People read columns, programs read tabs."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [*COMMAND, "--config", str(config), "config", "show"],
            stdout=theirs,
            env=clean_environment(),
            timeout=60,
            check=True,
        )
        first = os.read(ours, 65_536).decode().splitlines()[0]
    finally:
        os.close(ours)
        os.close(theirs)
    assert re.fullmatch(f"interval +30s +{config}", first)
    assert first.index("30s") == len("binance.weight_per_minute") + 2
