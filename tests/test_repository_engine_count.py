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
SAME, ALONE = "--same-on-both-engines", "--postgresql-alone"


@pytest.mark.parametrize(
    ("tests", "options", "code", "line"),
    [
        (
            ON_BOTH,
            [SAME],
            0,
            "tests per engine: 1 on sqlite, 1 on postgresql, 1 of these on storage (*none)",
        ),
        (
            ON_BOTH,
            [SAME, "-n", "2"],
            0,
            "tests per engine: 1 on sqlite, 1 on postgresql, 1 of these on storage (*none)",
        ),
        (
            ON_ONE,
            [SAME],
            1,
            "tests per engine: 1 on sqlite, 2 on postgresql, 2 of these* - the numbers differ or are 0",
        ),
        (ON_NONE, [SAME], 1, "tests per engine: 0 on sqlite, 0 on postgresql * - the numbers differ or are 0"),
        (
            ON_ONE,
            [ALONE, "2"],
            0,
            "tests per engine: 0 on sqlite, 2 on postgresql, 2 of these on storage (*none)",
        ),
        (
            ON_ONE,
            [ALONE, "2", "-n", "2"],
            0,
            "tests per engine: 0 on sqlite, 2 on postgresql, 2 of these on storage (*none)",
        ),
        (
            ON_BOTH,
            [ALONE, "2"],
            1,
            "tests per engine: 0 on sqlite, 1 on postgresql, 1 of these* - on postgresql it had to be 2",
        ),
        (
            ON_BOTH,
            [ALONE, "0"],
            1,
            "tests per engine: 0 on sqlite, 1 on postgresql, 1 of these* - on postgresql it had to be 0",
        ),
    ],
)
def test_a_strict_run_fails_unless_as_many_passed_as_had_to(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    tests: str,
    options: list[str],
    code: int,
    line: str,
) -> None:
    """A suite that quietly loses one engine would prove nothing about it."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_storage_x=tests)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take seconds to load
    run = pytester.runpytest_subprocess if "-n" in options else pytester.runpytest_inprocess
    result = run("-p", "xdist", *options)
    assert result.ret == code
    result.stdout.fnmatch_lines([line])


def test_the_marker_selects_what_runs_on_both_engines(pytester: pytest.Pytester) -> None:
    """They can be tried without the others."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(ON_BOTH + ON_NONE)
    pytester.runpytest_inprocess("-m", "engine").assert_outcomes(passed=2, deselected=1)


def test_the_storage_suite_is_counted_apart_and_repeated_alone(pytester: pytest.Pytester) -> None:
    """The run on the oldest server repeats what depends on the server, and all of that."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_storage_x=ON_BOTH + ON_NONE, test_y=ON_BOTH)
    all_of_them = pytester.runpytest_inprocess(SAME)
    all_of_them.stdout.fnmatch_lines(["tests per engine: 2 on sqlite, 2 on postgresql, 1 of these on storage (*)"])
    pytester.runpytest_inprocess(ALONE, "1").assert_outcomes(passed=1, deselected=4)
