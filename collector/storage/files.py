"""Looking for files, with one sentence where the system does not let us look."""

from __future__ import annotations

from pathlib import Path

from collector.errors import DatabaseError


def is_there(path: Path) -> bool:
    """Whether anything has this name. Raises DatabaseError when its folder is closed to us, or it can't be a name."""
    try:
        return path.exists()
    except OSError as error:
        raise DatabaseError(f"can't look at {path}: {error.strerror}") from None
