"""docs/commands.md says what the code does: every command, option, column and exit code."""

import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from collector import errors
from collector.cli import main
from collector.domain.spooled import Spooled
from collector.domain.thinning import FOREVER, Keep, Rule
from collector.domain.usage import Usage
from collector.reports.allocation import allocation_report
from collector.reports.changes import changes_report
from collector.reports.coverage import coverage_report
from collector.reports.diff import Pair, diff_report
from collector.reports.flaws import flaws_report
from collector.reports.gaps import gaps_report
from collector.reports.history import HistoryOf, history_report
from collector.reports.latest import latest_report
from collector.reports.spool import spool_report
from collector.reports.statement import statement_report
from collector.reports.status import status_report
from collector.reports.thinning import thinning_report
from collector.reports.total import TotalOf, total_report
from collector.reports.usage import usage_report
from collector.reports.values import Basis, Report
from collector.reports.withdrawing import withdrawing_report
from tests.ledgers import snapshot
from tests.report_values import NOW_MS, account, as_text, empty_statement, stored_snapshot

TEXT = (Path(__file__).parent.parent / "docs/commands.md").read_text(encoding="utf-8")
BASIS = Basis(account="main")
HOURLY = Rule(keep=Keep.HOURLY, span_s=FOREVER)
EMPTY = stored_snapshot(snapshot())

REPORTS: dict[str, Report[Any]] = {
    "latest": latest_report([EMPTY], [], now_ms=NOW_MS),
    "allocation": allocation_report([EMPTY], [], now_ms=NOW_MS),
    "history": history_report(HistoryOf(asset="BTC", accounts=[account()]), [BASIS], [], []),
    "diff": diff_report([Pair(before=EMPTY, after=EMPTY)], [], from_s=0, to_s=1),
    "changes": changes_report([BASIS], [account()], [], []),
    "total": total_report(TotalOf(accounts=[account()]), [BASIS], [], []),
    "withdrawing": withdrawing_report([], [EMPTY], [], now_ms=NOW_MS),
    "statement": statement_report(empty_statement(), tz="UTC"),
    "coverage": coverage_report([], [BASIS], [], by="all", tz="UTC"),
    "gaps": gaps_report([BASIS], []),
    "status": status_report([], database="", run=None, waits=[], now_ms=NOW_MS),
    "db stats": usage_report(Usage(accounts=(), bytes=0, free_bytes=0, typical_row=64), database=""),
    "spool list": spool_report(Spooled(path="", lots=())),
    "db verify": flaws_report([], database=""),
    "db prune": thinning_report([], [HOURLY], bytes_a_row=64, database="", dry_run=True),
}


def table(header: str) -> list[list[str]]:
    """The rows of the table that begins like this."""
    lines = TEXT[TEXT.index(header) :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def section(name: str) -> str:
    """The text below a heading."""
    return re.split(r"^#+ ", TEXT[re.search(rf"^#+ {name}$", TEXT, re.MULTILINE).end() :], flags=re.MULTILINE)[0]  # type: ignore[union-attr]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command, with those of groups as `db upgrade`."""
    for name, lazy in main.COMMANDS.items():
        module, _, attribute = lazy.target.partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", below) for inner, below in command.commands.items())
        else:
            yield name, command


def arguments(command: click.Command) -> str:
    """The names of its arguments, as the help shows them."""
    return "".join(f" {p.human_readable_name}" for p in command.params if isinstance(p, click.Argument))


def test_every_command_is_documented() -> None:
    """A command that is not documented does not exist for its users."""
    documented = {row[0] for row in table("| command |")}
    assert documented == {f"`{name}{arguments(command)}`" for name, command in commands()}


def test_every_option_is_documented_with_its_commands() -> None:
    """One table answers which command takes which option."""
    options: dict[str, set[str]] = defaultdict(set)
    for name, command in commands():
        for param in command.params:
            if isinstance(param, click.Option):
                options[param.opts[0]].add(name)
    documented = {
        re.findall(r"--[a-z-]+", option)[0]: set(re.findall(r"`([a-z ]+)`", of))
        for option, of, _ in table("| option |")
    }
    assert documented == options


def test_every_exit_code_is_documented() -> None:
    """Scripts rely on them, so that they can't change unseen."""
    codes = {value for module in (errors, main) for name, value in vars(module).items() if name.startswith("EXIT_")}
    documented = {int(row[0]) for row in table("| code |")}
    assert documented == codes | {0}
    for row in table("| command |"):
        assert {int(code) for code in row[2].split(", ")} <= documented


@pytest.mark.parametrize("name", REPORTS)
def test_every_column_is_documented(name: str) -> None:
    """In the order in which TSV and CSV write them; what JSON adds is named too."""
    (columns,) = re.findall(r"^Columns: (.*?)\.$", section(name), re.MULTILINE | re.DOTALL)
    header = as_text(REPORTS[name], "tsv").splitlines()[0]
    assert re.findall(r"`([a-z_]+)`", columns) == header.split("\t")
    for fact in REPORTS[name].facts:
        assert f"`{fact}`" in section(name) + section("Reports")


def test_every_format_and_field_is_documented() -> None:
    """What can be chosen."""
    (history,) = (command for name, command in commands() if name == "history")
    choices = {p.name: p.type.choices for p in history.params if isinstance(p.type, click.Choice)}
    assert [f"`{chosen}`" for chosen in choices["format"]] == [row[0] for row in table("| format |")]
    for field in choices["field"]:
        assert f"`{field}`" in section("history")
