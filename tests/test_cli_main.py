"""The command line as a process: exit codes, one sentence on stderr, and nothing heavy imported for the help."""

import errno
import re
import subprocess
import sys
import types
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from collector.cli.context import App, database_option, interval_option, pass_app
from collector.cli.main import COMMANDS, Lazy, cli, run
from collector.config.checks import LOG_LEVELS
from collector.errors import ConfigError, LockedError, NoDataError
from tests.processes import collector


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> click.Group:
    """A group that the test fills, in place of all real commands but one: `try`."""
    group = click.Group("try")
    module = types.ModuleType("a_module_of_the_test")
    module.command = group  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(COMMANDS, "try", Lazy(f"{module.__name__}:command", "Only here."))
    return group


def test_help_lists_every_command_and_imports_none() -> None:
    """`collector --help` has to answer at once; a test of loaded modules is no stop-watch."""
    code = (
        "import sys\nfrom collector.cli.main import run\nrun(['--help'])\n"
        "print(sorted(name for name in sys.modules if name.startswith('collector.') or '.' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    listed = [re.match(r"  (\w+)  ", line) for line in done.stdout.partition("Commands:")[2].splitlines()]
    assert [match[1] for match in listed if match] == [
        *("run", "once", "check", "latest", "history", "diff", "changes", "total", "allocation", "withdrawing"),
        *(
            "statement",
            "gaps",
            "coverage",
            "sql",
            "export",
            "status",
            "demo",
            "db",
            "keygen",
            "spool",
            "config",
            "sandbox",
        ),
    ]
    modules = set(eval(done.stdout.splitlines()[-1]))  # noqa: S307 - what the line above printed
    assert modules & {"sqlalchemy", "requests", "msgspec", "cryptography", "rich", "platformdirs"} == set()
    ours = {name for name in modules if name.startswith("collector.")}
    assert ours == {
        "collector.cli",
        "collector.cli.context",
        "collector.cli.main",
        "collector.cli.streams",
        "collector.errors",
    }


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_is_there(name: str) -> None:
    """A wrong name in the table would only show when somebody runs it."""
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    assert found.name == name
    assert found.help


@pytest.mark.parametrize(("words", "answer"), [("collector config sh", "plain,show\n"), ("collector confi sh", "\n")])
def test_the_shell_completes_what_was_begun(words: str, answer: str) -> None:
    """Also when the command before is not finished: that is no time for an error."""
    environ = {"_COLLECTOR_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
    done = collector(env=environ)
    assert (done.stdout, done.stderr) == (answer, "")
    assert cli.list_commands(click.Context(cli)) == list(COMMANDS)


def test_log_levels_are_those_of_the_configuration() -> None:
    """They are written out in two places, so that the help need not import the configuration."""
    (option,) = [param for param in cli.params if param.name == "log_level"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == LOG_LEVELS


def test_the_version_is_that_of_the_distribution() -> None:
    """It belongs into every report of a mistake."""
    done = collector("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"collector \d+\.\d+\.\d+\S*\n", done.stdout)


def test_the_module_is_the_command_too() -> None:
    """`python -m collector` works where the script is not on the path."""
    done = subprocess.run(
        [sys.executable, "-m", "collector", "-h"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: collector ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lates"], "no such command 'lates': did you mean 'latest'? (see `collector --help`)"),
        (["--", "-x"], "no such command '-x': there are run, once, check, "),
        (["xyz"], "no such command 'xyz': there are run, once, check, "),
        (["--log-level", "loud", "run"], "invalid value for '--log-level': 'loud' is not one of "),
        (["config", "show", "--interval", "5x"], "--interval must be whole seconds, minutes, hours or days"),
        (["config", "path", "more"], "got unexpected extra argument (more) (see `collector config path --help`)"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_one_sentence(arguments: list[str], sentence: str) -> None:
    """Scripts tell usage from failure by the code; people read one line."""
    done = collector(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"collector: {sentence}")
    assert done.stderr.count("\n") == 1


def test_without_a_command_the_help_is_shown_as_a_mistake() -> None:
    """A script that forgot the command must not go on as if something had been done."""
    done = collector()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Commands:" in done.stderr


def test_a_wrong_configuration_ends_with_4_and_one_sentence(tmp_path: Path) -> None:
    """Every command reads the configuration, and none shows a traceback for it."""
    config = tmp_path / "c.toml"
    config.write_text("interval = 5")
    done = collector("--config", str(config), "config", "show")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"collector: interval in {config} must be text in quotes, not a whole number\n"


@pytest.mark.parametrize("error", [ConfigError("sentence\nof two"), NoDataError("nothing"), LockedError("held")])
def test_an_error_of_ours_becomes_its_sentence_and_its_code(
    command: click.Group, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """Line ends in a sentence would break logs that are read by line."""

    @command.command()
    def fail() -> None:
        raise error

    assert run(["try", "fail"]) == error.exit_code  # type: ignore[attr-defined]
    assert capsys.readouterr() == ("", f"collector: {str(error).replace(chr(10), ' ')}\n")


def test_a_bug_shows_its_traceback_and_ends_with_1(tmp_path: Path) -> None:
    """A bug that looks like a mistake of the user is never reported."""
    code = (
        "import click\nfrom collector.cli import main\n"
        "main.LazyGroup.get_command = lambda *_: click.Command('run', callback=lambda: 1 / 0)\nmain.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run"], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_a_command_ends_with_the_number_that_it_returns_or_exits_with(command: click.Group) -> None:
    """`status` ends with 1 without an error."""
    command.add_command(click.Command("returns", callback=lambda: 1))
    command.add_command(click.Command("exits", callback=lambda: click.get_current_context().exit(3)))
    command.add_command(click.Command("is_done", callback=lambda: None))
    assert [run(["try", name]) for name in ("returns", "exits", "is_done")] == [1, 3, 0]


def test_an_interrupt_ends_with_130(command: click.Group, capsys: pytest.CaptureFixture[str]) -> None:
    """128 + SIGINT, as shells count it, and without a traceback."""

    @command.command()
    def waiting() -> None:
        raise KeyboardInterrupt

    assert run(["try", "waiting"]) == 130
    assert capsys.readouterr().err.strip() == ""


def test_another_oserror_of_a_command_is_a_bug(command: click.Group) -> None:
    """Commands turn what can go wrong with files into sentences; what is left shows its traceback."""

    @command.command()
    def fail() -> None:
        raise PermissionError(errno.EACCES, "denied", "file")

    with pytest.raises(PermissionError):
        run(["try", "fail"])


# --- options, variables and the configuration


@pytest.fixture
def shown(command: click.Group) -> click.Group:
    """`try show`, which prints database, interval and log level."""

    @command.command()
    @click.option("--width", type=int, default=0)
    @database_option
    @interval_option
    @pass_app
    def show(app: App, *, width: int) -> None:
        settings = app.settings()
        app.settings()
        click.echo(f"{settings.database} {settings.interval_s} {settings.log_level} {width}")

    return command


def test_options_of_a_command_reach_the_configuration(shown: click.Group) -> None:
    """--database and --interval stand for their keys wherever a command takes them."""
    arguments = ["--log-level", "ERROR", "try", "show", "--database", "/flag.db", "--interval", "1h", "--width", "3"]
    result = CliRunner().invoke(cli, arguments)
    assert result.output == "sqlite:////flag.db 3600 error 3\n"


def test_each_option_is_a_variable_too(shown: click.Group) -> None:
    """Units and containers configure by the environment."""
    environ = {"COLLECTOR_DATABASE": "/env.db", "COLLECTOR_INTERVAL": "2h", "COLLECTOR_TRY_SHOW_WIDTH": "7"}
    result = CliRunner().invoke(cli, ["try", "show"], env=environ)
    assert result.output == "sqlite:////env.db 7200 info 7\n"


def test_a_misspelt_variable_of_the_command_is_refused(
    shown: click.Group, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would silently do nothing; those of other commands are their business."""
    monkeypatch.setenv("COLLECTOR_RUN_SOMETHING", "1")
    assert run(["try", "show"]) == 0
    monkeypatch.setenv("COLLECTOR_TRY_SHOW_WIDHT", "7")
    assert run(["try", "show"]) == 4
    assert capsys.readouterr().err == (
        "collector: unknown environment variable COLLECTOR_TRY_SHOW_WIDHT: did you mean 'COLLECTOR_TRY_SHOW_WIDTH'?\n"
    )


def test_a_variable_for_a_command_without_options_is_refused(
    command: click.Group, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing that it could mean."""
    monkeypatch.setenv("COLLECTOR_TRY_LOUDLY", "1")
    assert run(["try", "anything"]) == 4
    assert "COLLECTOR_TRY_LOUDLY: try has no options that could be variables" in capsys.readouterr().err


def test_a_warning_is_said_once(
    shown: click.Group, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command may ask for the configuration more than once."""
    config = tmp_path / "c.toml"
    config.write_text('database = "postgresql://u:pw@h/db"')
    config.chmod(0o644)
    monkeypatch.setenv("COLLECTOR_CONFIG", str(config))
    assert run(["try", "show"]) == 0
    assert capsys.readouterr().err == (
        f"collector: warning: others can read {config}, which holds a secret: chmod 600 {config}\n"
    )


def test_a_command_that_shows_warnings_itself_hears_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` has a line for each."""
    config = tmp_path / "c.toml"
    config.write_text('database = "postgresql://u:pw@h/db"')
    config.chmod(0o644)
    assert App(environ={}, config=config).settings(warn=False).warnings
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("variable", "value"),
    [("COLLECTOR_LATEST_ACCOUNT", "nobody"), ("COLLECTOR_LATEST_ALL", "1"), ("COLLECTOR_TOTAL_IN", "USDT")],
)
def test_a_variable_has_the_name_of_its_option(variable: str, value: str, tmp_path: Path) -> None:
    """The document promises COLLECTOR_<COMMAND>_<OPTION>, whatever the function behind it calls its parameter."""
    database = {"COLLECTOR_DATABASE": f"sqlite:///{tmp_path}/none.db", variable: value}
    done = collector(variable.split("_")[1].lower(), env=database)
    assert (done.returncode, done.stdout) == (6, "")
    assert "unknown environment variable" not in done.stderr
