"""A pytest plugin that measures no coverage while tests run on PostgreSQL.

SQLite's half of the same tests is measured. To measure the other half too would take a minute and a half for the
lines that are PostgreSQL's alone, about one in a hundred; they count as not covered.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import coverage
import pytest

SUBPROCESSES = "COVERAGE_PROCESS_CONFIG"
"""What makes a new process measure itself."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Whether a test runs on PostgreSQL is in its parameters."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or callspec.params.get("engine_name") != "postgresql":
        return (yield)
    with unmeasured():
        return (yield)


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
