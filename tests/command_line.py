"""Runs a command line inside this process."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from collector.cli.main import run
from tests.processes import clean_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Exit code and output of a command line."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Done]


def command_line(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], url: str) -> CommandLine:
    """A function that runs `collector ARGUMENTS` on a database, with no other configuration."""
    clean = clean_environment(COLLECTOR_DATABASE=url)
    for name in os.environ.keys() - clean.keys():
        monkeypatch.delenv(name)
    for name, value in clean.items():
        monkeypatch.setenv(name, value)

    def run_here(*arguments: str) -> Done:
        code = run(arguments)
        captured = capsysbinary.readouterr()
        return Done(code=code, out=captured.out.decode(), err=captured.err.decode())

    return run_here
