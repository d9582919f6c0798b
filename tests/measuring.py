"""A pytest plugin that measures no coverage where it takes long and shows little.

Tests on PostgreSQL repeat SQLite's half, which is measured; properties and tests marked `unmeasured` repeat a path many
times that others walk once. What only they reach counts as not covered: about one line in a hundred.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import coverage
import pytest

SUBPROCESSES = "COVERAGE_PROCESS_CONFIG"
"""What makes a new process measure itself."""


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    config.addinivalue_line("markers", "unmeasured: repeats what others measure")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure this test, or not."""
    if not _repeats(item):
        return (yield)
    with unmeasured():
        return (yield)


def _repeats(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    on_postgresql = callspec is not None and callspec.params.get("engine_name") == "postgresql"
    is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return on_postgresql or is_property or item.get_closest_marker("unmeasured") is not None


@contextmanager
def unmeasured() -> Iterator[None]:
    """Nothing that runs meanwhile is measured, here or in processes that begin."""
    measured = coverage.Coverage.current()
    if measured is None:
        yield
        return
    measured.stop()
    try:
        with mock.patch.dict(os.environ):
            os.environ.pop(SUBPROCESSES, None)
            yield
    finally:
        measured.start()
