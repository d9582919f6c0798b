"""Every test runs everywhere: what is left out looks just like what passes."""

import re
from pathlib import Path

LEFT_OUT = re.compile(
    r"\b(importor|mark\.|pytest\.)skip|\bskip(if|test)\b|\bfind_spec\b|\bmark\.xfail\b", re.IGNORECASE
)


def test_no_test_is_left_out_where_something_is_not_installed() -> None:
    """What tests need is in the lock; a test for what happens to be there runs nowhere at last."""
    others = [path for path in Path(__file__).parent.rglob("*.py") if path != Path(__file__)]
    assert [path.name for path in others if LEFT_OUT.search(path.read_text(encoding="utf-8"))] == []
    assert LEFT_OUT.search('pandas = pytest.importorskip("pandas")')
