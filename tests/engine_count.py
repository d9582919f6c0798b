"""A pytest plugin that counts the tests which each database engine passed.

`-m engine` selects the tests that run on both engines; with `--same-on-both-engines` the run fails unless each
engine passed the same number of them, and at least one. `--postgresql-alone N` runs the storage suite of them
(`test_storage_*.py`) on PostgreSQL only, for another server, and fails unless N of them passed; the count says how
many these are.
"""

from collections import Counter

import pytest

ENGINES = ("sqlite", "postgresql")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    text = "fail unless SQLite and PostgreSQL passed the same number of tests, and at least one"
    parser.addoption("--same-on-both-engines", action="store_true", help=text)
    text = "run only the storage suite, on PostgreSQL, and fail unless N tests passed, and at least one"
    parser.addoption("--postgresql-alone", type=int, metavar="N", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker and, where reports arrive (not in a worker of xdist), the counter."""
    config.addinivalue_line("markers", "engine: runs once for each database engine")
    if not hasattr(config, "workerinput"):
        count = EngineCount(
            strict=bool(config.getoption("same_on_both_engines")), alone=config.getoption("postgresql_alone")
        )
        config.pluginmanager.register(count, "engine-count")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks each test that is parametrised by engine, and notes the engine for its report."""
    for item in items:
        if (engine := _engine(item)) is not None:
            item.add_marker("engine")
            item.user_properties.append(("engine", engine))
            item.user_properties.append(("storage", _is_of_storage(item)))
    if config.getoption("postgresql_alone") is not None:
        repeated = {item: _engine(item) == "postgresql" and _is_of_storage(item) for item in items}
        config.hook.pytest_deselected(items=[item for item in items if not repeated[item]])
        items[:] = [item for item in items if repeated[item]]


def _engine(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("engine_name") if callspec else None


def _is_of_storage(item: pytest.Item) -> bool:
    return item.path.name.startswith("test_storage_")


class EngineCount:
    """Counts what passed, and says it at the end."""

    def __init__(self, *, strict: bool, alone: int | None) -> None:
        self.strict = strict or alone is not None
        self.alone = alone
        self.passed: Counter[str] = Counter()
        self.of_storage = 0
        self.servers: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts a test that passed; reports of xdist's workers arrive here too."""
        said = {str(name): str(value) for name, value in report.user_properties}
        if report.when == "call" and report.passed and "engine" in said:
            self.passed[said["engine"]] += 1
            self.of_storage += said["engine"] == "postgresql" and said["storage"] == "True"
            self.servers |= {said["postgresql"]} if "postgresql" in said else set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fails a run that was told to be strict and passed another number of tests than it had to."""
        if self.strict and not self.right and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line with the numbers and the server's version."""
        if self.strict or self.passed:
            counts = ", ".join(f"{self.passed[engine]} on {engine}" for engine in ENGINES)
            verdict = "" if self.right else f" - {self.wrong}"
            servers = ", ".join(sorted(self.servers)) or "none"
            storage = f", {self.of_storage} of these on storage" if self.of_storage else ""
            terminalreporter.write_line(f"tests per engine: {counts}{storage} (server: PostgreSQL {servers}){verdict}")

    @property
    def right(self) -> bool:
        """Whether as many tests passed as had to, and at least one."""
        expected = self.passed["sqlite"] if self.alone is None else self.alone
        return self.passed["postgresql"] == expected > 0

    @property
    def wrong(self) -> str:
        """What a strict run says that was not right."""
        return "the numbers differ or are 0" if self.alone is None else f"on postgresql it had to be {self.alone}"
