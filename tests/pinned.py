"""Output that is pinned by files in tests/snapshots, which are reviewed as text.

`RENEW_SNAPSHOTS=1 pytest ...` writes them anew; nothing else does.
"""

import difflib
import os
from pathlib import Path

FOLDER = Path(__file__).parent / "snapshots"


def assert_pinned(name: str, output: str, folder: Path = FOLDER) -> None:
    """Fails with a diff unless the output is what the file says, to the last byte."""
    path = folder / f"{name}.txt"
    if os.environ.get("RENEW_SNAPSHOTS") == "1":
        path.write_bytes(output.encode())
    pinned = path.read_bytes().decode() if path.exists() else ""
    if output != pinned:
        diff = difflib.unified_diff(_lines(pinned), _lines(output), "pinned", "now", lineterm="")
        raise AssertionError(f"{path.name} differs; RENEW_SNAPSHOTS=1 writes it anew\n" + "\n".join(diff))


def _lines(output: str) -> list[str]:
    """Each line as it is escaped, so that a diff shows line ends and blanks too."""
    return [repr(line) for line in output.splitlines(keepends=True)]
