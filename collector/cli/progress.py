"""A bar on stderr for work that takes long, when somebody is watching."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, from 0 to 1."""


@contextmanager
def progress() -> Iterator[Show]:
    """A function that moves the bar; it does nothing unless stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _what, _share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=min(1.0, max(0.0, share)))


@contextmanager
def progress_over(what: str, from_s: int, to_s: int) -> Iterator[Callable[[int], None]]:
    """A function that moves the bar to an instant (epoch seconds) between these two."""
    with progress() as show:
        yield lambda at_s: show(what, (at_s - from_s) / max(1, to_s - from_s))
