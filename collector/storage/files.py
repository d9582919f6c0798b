"""Files that hold balances: looked for, and closed to others before they hold any."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from collector.errors import DatabaseError


def is_there(path: Path) -> bool:
    """Whether anything has this name. Raises DatabaseError when its folder is closed to us, or it can't be a name."""
    try:
        return path.exists()
    except OSError as error:
        raise DatabaseError(f"can't look at {path}: {error.strerror}") from None


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read; SQLite gives its -wal and -shm the same mode.

    One that is there and empty is closed to others too; the mode of a file that holds something is its owner's choice.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and not found.st_size:
            with suppress(PermissionError):  # somebody else's, who lets us write to it
                os.fchmod(file, 0o600)
    finally:
        os.close(file)
