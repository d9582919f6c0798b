"""The helper that pins output."""

from pathlib import Path

import pytest

from tests.pinned import assert_pinned


def test_a_difference_fails_with_a_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pin that passes whatever comes would be worse than none; line ends count."""
    monkeypatch.delenv("RENEW_SNAPSHOTS", raising=False)
    (tmp_path / "one.txt").write_bytes(b"a\r\nb\n")
    assert_pinned("one", "a\r\nb\n", tmp_path)
    with pytest.raises(AssertionError, match=r"-'a\\r\\n'\n\+'a\\n'"):
        assert_pinned("one", "a\nb\n", tmp_path)
    with pytest.raises(AssertionError, match=r"two\.txt differs"):
        assert_pinned("two", "never pinned", tmp_path)


def test_only_the_variable_renews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that renews itself pins nothing."""
    monkeypatch.setenv("RENEW_SNAPSHOTS", "1")
    assert_pinned("one", "new", tmp_path)
    assert (tmp_path / "one.txt").read_text() == "new"
