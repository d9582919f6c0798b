"""Coverage is measured but while a test repeats what others do."""

import os

import coverage
import pytest

from tests.measuring import SUBPROCESSES, unmeasured

pytest_plugins = ("pytester",)

CONFTEST = """
import coverage
import pytest

pytest_plugins = ("tests.measuring",)

class Measured:
    on = True
    def start(self): self.on = True
    def stop(self): self.on = False

measured = Measured()
coverage.Coverage.current = lambda: measured

@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request):
    return request.param
"""
TESTS = """
import pytest
from conftest import measured
from hypothesis import given, strategies

def test_before(): assert measured.on
def test_on_both(engine_name): assert measured.on == (engine_name == "sqlite")
@pytest.mark.unmeasured
def test_marked(): assert not measured.on
@given(strategies.booleans())
def test_property(drawn): assert not measured.on
def test_after(): assert measured.on
"""


def test_what_repeats_others_is_not_measured(pytester: pytest.Pytester) -> None:
    """The others follow on it in the same process."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=6)


def test_what_is_started_meanwhile_is_not_measured_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage asks every new process to measure itself."""
    asked: list[str] = []

    class Measured:
        """Notes what it is told."""

        def start(self) -> None:
            """Measure again."""
            asked.append("start")

        def stop(self) -> None:
            """Measure no more."""
            asked.append("stop")

    monkeypatch.setattr(coverage.Coverage, "current", Measured)
    monkeypatch.setenv(SUBPROCESSES, "all of it")
    with unmeasured():
        assert SUBPROCESSES not in os.environ
        assert asked == ["stop"]
    assert os.environ[SUBPROCESSES] == "all of it"
    assert asked == ["stop", "start"]


def test_nothing_changes_where_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test on its own runs without coverage."""
    monkeypatch.setattr(coverage.Coverage, "current", lambda: None)
    monkeypatch.setenv(SUBPROCESSES, "all of it")
    with unmeasured():
        assert os.environ[SUBPROCESSES] == "all of it"
