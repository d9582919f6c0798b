"""The count of tests per database engine notices a test that ran on one engine only."""

import pytest

pytest_plugins = ("pytester",)

CONFTEST = """
import pytest

pytest_plugins = ("tests.engine_count",)

@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request):
    return request.param
"""
ON_BOTH = "def test_both(engine_name): pass\n"
ON_ONE = ON_BOTH + "def test_one(engine_name): __import__('pytest').skip() if engine_name == 'sqlite' else None\n"
ON_NONE = "def test_none(): pass\n"


@pytest.mark.parametrize(
    ("tests", "options", "code", "line"),
    [
        (ON_BOTH, [], 0, "tests per engine: 1 on sqlite, 1 on postgresql (server: PostgreSQL none)"),
        (ON_BOTH, ["-n", "2"], 0, "tests per engine: 1 on sqlite, 1 on postgresql (server: PostgreSQL none)"),
        (ON_ONE, [], 1, "tests per engine: 1 on sqlite, 2 on postgresql * - the numbers differ or are 0"),
        (ON_NONE, [], 1, "tests per engine: 0 on sqlite, 0 on postgresql * - the numbers differ or are 0"),
    ],
)
def test_a_strict_run_fails_unless_both_engines_passed_the_same(
    pytester: pytest.Pytester, tests: str, options: list[str], code: int, line: str
) -> None:
    """A suite that quietly loses one engine would prove nothing about it."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(tests)
    result = pytester.runpytest_subprocess("--same-on-both-engines", *options)
    assert result.ret == code
    result.stdout.fnmatch_lines([line])


def test_the_marker_selects_what_runs_on_both_engines(pytester: pytest.Pytester) -> None:
    """The run on the oldest server repeats these tests and no others."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(ON_BOTH + ON_NONE)
    pytester.runpytest_subprocess("-m", "engine").assert_outcomes(passed=2, deselected=1)
