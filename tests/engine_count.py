"""A pytest plugin that counts the tests which each database engine passed.

`-m engine` selects the tests that run on both engines; with `--same-on-both-engines` the run fails
unless each engine passed the same number of them, and at least one.
"""

from collections import Counter

import pytest

ENGINES = ("sqlite", "postgresql")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    text = "fail unless SQLite and PostgreSQL passed the same number of tests, and at least one"
    parser.addoption("--same-on-both-engines", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker and, where reports arrive (not in a worker of xdist), the counter."""
    config.addinivalue_line("markers", "engine: runs once for each database engine")
    if not hasattr(config, "workerinput"):
        strict = bool(config.getoption("same_on_both_engines"))
        config.pluginmanager.register(EngineCount(strict=strict), "engine-count")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test that is parametrised by engine, and notes the engine for its report."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec and "engine_name" in callspec.params:
            item.add_marker("engine")
            item.user_properties.append(("engine", callspec.params["engine_name"]))


class EngineCount:
    """Counts what passed, and says it at the end."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.passed: Counter[str] = Counter()
        self.servers: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts a test that passed; reports of xdist's workers arrive here too."""
        said = {str(name): str(value) for name, value in report.user_properties}
        if report.when == "call" and report.passed and "engine" in said:
            self.passed[said["engine"]] += 1
            self.servers |= {said["postgresql"]} if "postgresql" in said else set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fails a run that was told to be strict and passed on one engine what it did not on the other."""
        if self.strict and not self.same and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line with the numbers and the server's version."""
        if self.strict or self.passed:
            counts = ", ".join(f"{self.passed[engine]} on {engine}" for engine in ENGINES)
            verdict = "" if self.same else " - the numbers differ or are 0"
            servers = ", ".join(sorted(self.servers)) or "none"
            terminalreporter.write_line(f"tests per engine: {counts} (server: PostgreSQL {servers}){verdict}")

    @property
    def same(self) -> bool:
        """Whether both engines passed the same number of tests, and at least one."""
        return len({self.passed[engine] for engine in ENGINES}) == 1 and self.passed["sqlite"] > 0
