"""Files that hold a secret: where they are, what they hold, and whether others can read them."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

MAX_BYTES = 65_536

_KEY = re.compile(r"[A-Za-z0-9]{32,}")


def locate(name: str, base: Path, credentials: Path | None) -> Path:
    """The file that a path means: from `base`, else from the folder of systemd's credentials if it is there."""
    path = base / os.path.expanduser(name)  # noqa: PTH111 - Path's raises for a ~name that is nobody
    if credentials and not _is_there(path) and _is_there(credentials / name):
        return credentials / name
    return path


def looks_like_a_secret(name: str, path: Path) -> bool:
    """Whether somebody gave the secret itself where the name of its file belongs: that name must not be shown."""
    return "-----BEGIN" in name or "\n" in name or (_KEY.fullmatch(name) is not None and not _is_there(path))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a key may be too long for a name; what can't be looked at can't be read either, which is told
        return False


def read_secret(path: Path) -> str:
    """The file's text without blanks and line ends around it; ValueError says what is wrong with the file."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig").strip()
    except OSError as e:
        raise ValueError(f"names {path}, which can't be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ValueError(f"names {path}, which is not UTF-8 text") from e
    if not text or len(content) > MAX_BYTES:
        raise ValueError(f"names {path}, which is {'empty' if not text else 'too long for a secret'}")
    return text


def exposure(path: Path) -> str | None:
    """A sentence when others can read a file that holds a secret.

    A group that may read a file of somebody else is a usual way to hand a secret to a service; it is not reported.
    """
    status = path.stat()
    mine = hasattr(os, "geteuid") and status.st_uid == os.geteuid()
    bits = stat.S_IROTH | (stat.S_IRGRP if mine else 0)
    if not stat.S_ISREG(status.st_mode) or not status.st_mode & bits:
        return None
    return f"others can read {path}, which holds a secret: chmod 600 {path}"
