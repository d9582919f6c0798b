"""`collector sandbox` as a process: one line of JSON, served until a signal."""

import hmac
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import COMMAND, clean_environment, collector


@contextmanager
def serving(*arguments: str, **environ: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """The line that it printed, and the process."""
    process = subprocess.Popen(
        [*COMMAND, "sandbox", *arguments],
        env=clean_environment(**environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()


def get(url: str | urllib.request.Request) -> tuple[int, bytes]:
    """Status and body."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_one_line_serves_and_ends_with_0(number: signal.Signals) -> None:
    """A script reads the line, points its client there, and stops it."""
    with serving("--accounts", "2") as (line, process):
        assert list(line) == ["base_url", "accounts"]
        assert [sorted(account) for account in line["accounts"]] == [["api_key", "api_secret", "name"]] * 2
        status, body = get(line["base_url"] + "/api/v3/time")
        assert (status, list(json.loads(body))) == (200, ["serverTime"])
        process.send_signal(number)
        rest, said = process.communicate(timeout=30)
    assert (process.returncode, rest, said) == (0, "", "")


def test_a_seed_gives_the_same_keys_again() -> None:
    """Demonstrations and reports of mistakes can be repeated; the environment sets it as well."""
    with serving("--seed", "3") as (first, _), serving(COLLECTOR_SANDBOX_SEED="3") as (second, _):
        assert first["accounts"] == second["accounts"]
    with serving() as (third, _):
        assert third["accounts"] != first["accounts"]


def test_a_reply_is_served_digit_for_digit(tmp_path: Path) -> None:
    """Any client can be shown any wallet."""
    document = b'[ {"asset": "BTC", "free": "0.10", "locked": "0E-8"} ]'
    (tmp_path / "reply.json").write_bytes(document)
    with serving("--reply", str(tmp_path / "reply.json")) as (line, _):
        account = line["accounts"][0]
        query = f"timestamp={time.time_ns() // 1_000_000}"
        signature = hmac.new(account["api_secret"].encode(), query.encode(), "sha256").hexdigest()
        url = f"{line['base_url']}/sapi/v3/asset/getUserAsset?{query}&signature={signature}"
        headers = {"X-MBX-APIKEY": account["api_key"]}
        request = urllib.request.Request(url, method="POST", headers=headers)  # noqa: S310 - the sandbox's own URL
        assert get(request) == (200, document)


def test_faults_are_in_force_from_the_start(tmp_path: Path) -> None:
    """Other programs can be shown what Binance does on a bad day."""
    script = tmp_path / "faults.json"
    script.write_text('[{"kind": "status", "status": 503, "path": "/sapi/v1/system/status"}]')
    inline = '{"kind": "status", "status": 502, "path": "/api/v3/time"}'
    with serving("--fault", inline, "--faults", str(script)) as (line, _):
        assert get(line["base_url"] + "/api/v3/time")[0] == 502
        assert get(line["base_url"] + "/sapi/v1/system/status")[0] == 503
    both = f'{inline}\n{{"kind": "status", "status": 503, "path": "/sapi/v1/system/status"}}'
    with serving(COLLECTOR_SANDBOX_FAULT=both) as (line, _):
        assert get(line["base_url"] + "/api/v3/time")[0] == 502
        assert get(line["base_url"] + "/sapi/v1/system/status")[0] == 503


def test_a_taken_port_is_a_sentence() -> None:
    """The usual cause is another sandbox."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = collector("sandbox", "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"collector: the sandbox can't listen on 127.0.0.1:{port}: Address already in use")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--accounts", "0"], "invalid value for '--accounts': 0 is not in the range 1<=x<=100000"),
        (["--port", "65536"], "invalid value for '--port': 65536 is not in the range 0<=x<=65535"),
        (["--seed", "x"], "invalid value for '--seed': 'x' is not a valid integer"),
        (["--reply", "nowhere"], "the file nowhere named by --reply can't be read: No such file or directory"),
        (["--reply", "object.json"], "the reply in object.json must be a JSON array of objects"),
        (["--reply", "numbers.json"], "the reply in numbers.json must be a JSON array of objects"),
        (["--reply", "text"], "the reply in text is not JSON: expecting value"),
        (["--reply", "bytes"], "the reply in bytes is not UTF-8 text"),
        (["--faults", "object.json"], "the fault script object.json must be a JSON array of objects"),
        (["--faults", "numbers.json"], "fault script: a fault must be a JSON object"),
        (["--fault", "{"], "--fault must be a JSON object: "),
        (["--fault", '{"kind": "x"}'], "fault script: there is no kind 'x'"),
    ],
)
def test_bad_input_is_a_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """It ends with 2 before anything is served."""
    (tmp_path / "object.json").write_text("{}")
    (tmp_path / "numbers.json").write_text("[1]")
    (tmp_path / "text").write_text("text")
    (tmp_path / "bytes").write_bytes(b"\xff")
    done = collector("sandbox", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"collector: {sentence}")
    assert done.stderr.count("\n") == 1
