"""Standard streams that are closed, full or given up by their reader: one sentence and an exit code."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.cli import streams
from tests.processes import COMMAND, clean_environment


def closed(redirection: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What `collector ARGUMENTS` says where the shell closed a stream."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *arguments],
        env=clean_environment(COLLECTOR_DATABASE=str(folder / "c.db")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )


CLOSED = "collector: the output can't be written: it is closed\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 1, CLOSED),
        (["--version"], 1, CLOSED),
        (["config", "show"], 1, CLOSED),
        (["sandbox", "--port", "0"], 1, CLOSED),
        (["lates"], 2, "collector: no such command 'lates': did you mean 'latest'? (see `collector --help`)\n"),
    ],
)
def test_a_closed_stdout_is_a_sentence(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    """What can't be shown is no success; an error that needs no stdout keeps its own sentence and code."""
    done = closed(">&-", *arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (code, said)


def test_a_report_to_a_closed_stdout_is_a_sentence(tmp_path: Path) -> None:
    """Reports write bytes, and past the buffer of the text."""
    assert closed("", "db", "upgrade", folder=tmp_path).returncode == 0
    done = closed(">&-", "sql", "SELECT 1 AS one", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, CLOSED)


def test_without_stdout_or_stderr_the_exit_code_is_left(tmp_path: Path) -> None:
    """A cron job that throws everything away still learns how it ended."""
    assert closed(">&- 2>&-", "latest", folder=tmp_path).returncode == 6
    assert closed("<&- >&- 2>&-", "config", "show", folder=tmp_path).returncode == 1
    assert closed("2>&-", "config", "show", folder=tmp_path).returncode == 0


def test_a_stderr_that_takes_nothing_changes_no_exit_code(tmp_path: Path) -> None:
    """What is said there accompanies a result; it is none."""
    assert closed("2>/dev/full", "lates", folder=tmp_path).returncode == 2
    assert closed("2>/dev/full", "latest", folder=tmp_path).returncode == 6
    assert closed("2>/dev/full", "config", "path", folder=tmp_path).returncode == 0


def test_a_file_never_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Whatever some library says on descriptor 2 would otherwise stand in the private key, or in the history."""
    code = (
        "import os\nfrom collector.cli.streams import occupy_closed\noccupy_closed()\n"
        "descriptor = os.open('file', os.O_WRONLY | os.O_CREAT)\nos.write(descriptor, b'%d' % descriptor)"
    )
    subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=True
    )
    assert (tmp_path / "file").read_text() == "3"


def test_no_stdin_is_an_empty_one(tmp_path: Path) -> None:
    """`collector sql -` then has no query, which is a sentence."""
    assert closed("", "db", "upgrade", folder=tmp_path).returncode == 0
    done = closed("<&-", "sql", "-", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("collector: ")
    assert done.stderr.count("\n") == 1


def test_a_stdout_that_is_only_open_for_reading_is_a_sentence(tmp_path: Path) -> None:
    """A slip of the pen, `1<file`, is as closed as it can be."""
    done = closed("1</dev/null", "config", "show", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, CLOSED)


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    """`collector history BTC | head` is no error; 141 is 128 + SIGPIPE, as for any other program."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "collector", "config", "show"],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_output_that_cannot_be_written_is_a_sentence() -> None:
    """A full disk under a redirected export must not look like success, nor like a bug."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "collector", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "collector: the output can't be written: No space left on device\n")


class _Stdout:
    """Takes everything, and loses it when it is flushed."""

    def __init__(self, number: int, descriptor: int) -> None:
        self.number, self.descriptor = number, descriptor

    def flush(self) -> None:
        raise OSError(self.number, os.strerror(self.number))

    def fileno(self) -> int:
        return self.descriptor


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(errno.EPIPE, 141, ""), (errno.ENOSPC, 1, "collector: the output can't be written: No space left on device\n")],
)
def test_what_is_lost_at_the_last_moment_counts_too(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    number: int,
    code: int,
    said: str,
) -> None:
    """Short output reaches the system only when the process ends."""
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", _Stdout(number, file.fileno()))
        assert streams.flushed(0) == code
    assert capsys.readouterr().err == said
