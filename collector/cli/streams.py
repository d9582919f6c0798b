"""The standard streams of the process: closed, full, or given up by whoever read them."""

from __future__ import annotations

import errno
import os
import sys
from io import FileIO

from collector.cli.context import complain
from collector.errors import EXIT_FAILURE

EXIT_READER_GONE = 141  # 128 + SIGPIPE, as shells count it
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def occupy_closed() -> None:
    """Put stand-ins where standard streams are closed, or the next file that is opened would get their number.

    There is nothing to read from stdin's, nothing can be written to stdout's, and stderr's takes everything.
    """
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_RDONLY))  # noqa: PTH123, SIM115 - a descriptor, for all of the process
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")  # noqa: PTH123, SIM115


def buffer_stdout() -> None:
    """Collect what is written to stdout, also where PYTHONUNBUFFERED is set, as in many images of containers.

    Each row of a report would be a call of the system, and one that takes only a part of it would lose the rest.
    """
    if isinstance(sys.stdout.buffer, FileIO):
        encoding, errors = sys.stdout.encoding, sys.stdout.errors
        sys.stdout = open(  # noqa: SIM115 - for all of the process
            sys.stdout.fileno(), "w", encoding=encoding, errors=errors, buffering=1, closefd=False
        )


def flushed(code: int) -> int:
    """The exit code, after what was printed has really left."""
    try:
        sys.stdout.flush()
    except OSError as e:
        return lost(e)
    return code


def is_about_output(error: OSError) -> bool:
    """Whether it was stdout that failed, and not a file of a command."""
    if error.filename:
        return False
    return error.errno in NO_ROOM or (error.errno == errno.EBADF and not _is_writable(sys.stdout.fileno()))


def _is_writable(descriptor: int) -> bool:
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def lost(error: OSError) -> int:
    """The exit code when nobody can receive what is printed."""
    # Python flushes once more at exit, and would complain in its own words.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return EXIT_READER_GONE
    reason = "it is closed" if error.errno == errno.EBADF else error.strerror
    complain(f"the output can't be written: {reason}")
    return EXIT_FAILURE
