"""The log's format: one line, UTC, and nothing of other libraries below a warning."""

import logging
import re
import time
from collections.abc import Iterator

import pytest

from collector.cli.logs import log_to_stderr
from tests.collecting import untouched_process


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Other tests keep their logging."""
    with untouched_process():
        yield


def test_a_line_has_instant_level_and_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """UTC with milliseconds, whatever the machine's zone is; a journal adds the rest."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    log_to_stderr("info")
    moment = time.gmtime()
    logging.getLogger("collector.daemon").warning("%d ticks", 3)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING 3 ticks\n", err)
    assert err.startswith((time.strftime("%Y-%m-%dT%H:", moment), time.strftime("%Y-%m-%dT%H:", time.gmtime())))
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["DEBUG   d", "INFO    i", "WARNING w", "ERROR   e"]),
        ("info", ["INFO    i", "WARNING w", "ERROR   e"]),
        ("warning", ["WARNING w", "ERROR   e"]),
        ("error", ["ERROR   e"]),
    ],
)
def test_the_level_is_the_program_s_own(capsys: pytest.CaptureFixture[str], level: str, expected: list[str]) -> None:
    """Other libraries stay at warning: their debug logs hold whole requests, signatures included."""
    log_to_stderr(level)
    log = logging.getLogger("collector.somewhere")
    for write, word in ((log.debug, "d"), (log.info, "i"), (log.warning, "w"), (log.error, "e")):
        write(word)
    for name in ("urllib3.connectionpool", "apscheduler.scheduler", "sqlalchemy.engine"):
        logging.getLogger(name).info("signature=abc")
        logging.getLogger(name).debug("signature=abc")
    assert [line[25:] for line in capsys.readouterr().err.splitlines()] == expected


def test_a_second_call_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    """No line comes twice."""
    log_to_stderr("info")
    log_to_stderr("info")
    logging.getLogger("collector").info("once")
    assert capsys.readouterr().err.count("once") == 1


def failing() -> None:
    """What another library raises."""
    raise ValueError("can't open https://h/sapi?timestamp=1&signature=5ec2e7")


def test_a_traceback_shows_no_signature_either(capsys: pytest.CaptureFixture[str]) -> None:
    """The texts of other libraries' exceptions hold whole URLs."""
    log_to_stderr("error")
    try:
        failing()
    except ValueError:
        logging.getLogger("collector").exception("this is a bug")
        logging.getLogger("another.library").error("%s failed", "GET /x?signature=5ec2e7")
    said = capsys.readouterr().err
    assert "5ec2e7" not in said
    assert "ValueError: can't open https://h/sapi?timestamp=1&signature=***\n" in said
    assert "GET /x?signature=*** failed" in said
