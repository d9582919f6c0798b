"""The command `export`: whole ranges, as files for other programs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector.cli.choices import Span, accounts_option, chosen_range, named_accounts, range_options
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.frame import frame_of
from collector.cli.progress import Show, progress
from collector.errors import CollectorError, NoDataError, UsageError

if TYPE_CHECKING:
    from collector.domain.records import Account
    from collector.reports.export import ExportSnapshot
    from collector.storage.reader import Reader

FORMATS = ("csv", "ndjson", "parquet")
SHOWN_EVERY = 500


class Counted:
    """How much was written."""

    snapshots = 0
    rows = 0


@click.command()
@accounts_option
@range_options
@click.option("--format", type=click.Choice(FORMATS), help="Without it what --out ends with says it, else CSV.")
@click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help="A new file; for Parquet a new folder.")
@database_option
@pass_app
def export(app: App, names: tuple[str, ...], format: str | None, out: Path | None) -> None:  # noqa: A002 - click's name
    """Write every balance of a range, a row for each snapshot and asset, amounts with every digit.

    CSV and NDJSON go to stdout without --out. Nothing is ever overwritten.
    """
    from collector.storage.ledger import each_gap

    frame = frame_of(app)
    span, form = chosen_range(frame), format or _form_of(out)
    _check_target(form, out)
    count = Counted()
    with frame.reading() as reader, progress() as show:
        accounts = _with_snapshots(reader, named_accounts(reader, names), span)
        snapshots = _snapshots(reader, accounts, span, count, show)
        if form == "parquet":
            as_text = _as_text(reader, accounts, span)
            _write_folder(out, snapshots, as_text)
        else:
            _write_lines(form, out, snapshots)
        gaps = sum(1 for one in accounts for _ in each_gap(reader, one, from_s=span.from_s, to_s=span.to_s))
    complain(f"{count.rows} rows of {count.snapshots} snapshots")
    if gaps:
        complain(
            f"{gaps} gap{'s' if gaps != 1 else ''} in this time, of which an export says nothing: `collector gaps`"
        )


def _form_of(out: Path | None) -> str:
    ending = "" if out is None else out.suffix.removeprefix(".").lower()
    return ending if ending in FORMATS else "csv"


def _check_target(form: str, out: Path | None) -> None:
    if form == "parquet":
        from collector.reports.frames import library

        if out is None:
            raise UsageError("Parquet is written into a new folder: name it with --out")
        library("pyarrow")
    for path in () if out is None else (out, _part(out)):
        with _said(path):
            there = path.exists() or path.is_symlink()
        if there:
            again = "" if path == out else ", left by an export that did not end: remove it"
            raise UsageError(f"{path} is there already{again or ' and is not overwritten: choose another --out'}")


def _with_snapshots(reader: Reader, accounts: Sequence[Account], span: Span) -> list[Account]:
    from collector.storage.export import first_and_last_snapshot

    found = []
    for one in accounts:
        if first_and_last_snapshot(reader, one, from_s=span.from_s, to_s=span.to_s) is not None:
            found.append(one)
        else:
            complain(f"account {one.name!r} has no snapshot in this time")
    if not found:
        raise NoDataError("there is nothing to export: see `collector gaps`")
    return found


def _snapshots(
    reader: Reader, accounts: Sequence[Account], span: Span, count: Counted, show: Show
) -> Iterator[ExportSnapshot]:
    from collector.reports.export import ExportSnapshot
    from collector.reports.instants import rfc3339, rfc3339_ms
    from collector.storage.export import first_and_last_snapshot, plain_snapshots

    for one in accounts:
        bounds = first_and_last_snapshot(reader, one, from_s=span.from_s, to_s=span.to_s)
        first, last = bounds or (0, 0)
        for snapshot in plain_snapshots(reader, one, from_s=span.from_s, to_s=span.to_s):
            if count.snapshots % SHOWN_EVERY == 0:
                show(f"account {one.name}", (snapshot.due_at - first) / (last - first + 1))
            count.snapshots += 1
            count.rows += len(snapshot.balances)
            yield ExportSnapshot(
                account=one.name,
                due_at=rfc3339(snapshot.due_at),
                captured_at=rfc3339_ms(snapshot.received_at_ms),
                balances=snapshot.balances,
            )


def _as_text(reader: Reader, accounts: Sequence[Account], span: Span) -> list[str]:
    from collector.reports.frames import DECIMAL128
    from collector.storage.export import too_long

    whole, after = DECIMAL128
    found = too_long(reader, accounts, whole=whole - after, after=after, from_s=span.from_s, to_s=span.to_s)
    if found:
        complain(f"{', '.join(found)}: some amounts don't fit into decimal128({whole}, {after}), so these are text")
    return found


def _write_folder(out: Path | None, snapshots: Iterator[ExportSnapshot], as_text: Sequence[str]) -> None:
    from collector.reports.export import rows_of, write_parquet

    assert out is not None  # noqa: S101 - Parquet without --out was refused
    with _finished(out, folder=True) as part:
        write_parquet(part, rows_of(snapshots), as_text=as_text)


def _write_lines(form: str, out: Path | None, snapshots: Iterator[ExportSnapshot]) -> None:
    from collector.reports.export import WRITERS

    if out is None:
        assert isinstance(sys.stdout, TextIOWrapper)  # noqa: S101 - as Python opens it
        sys.stdout.reconfigure(encoding="utf-8", errors="strict", newline="", line_buffering=False)
        WRITERS[form](sys.stdout, snapshots)
        sys.stdout.flush()
        return
    with _finished(out, folder=False) as part, part.open("w", encoding="utf-8", newline="") as file:
        WRITERS[form](file, snapshots)


def _part(out: Path) -> Path:
    return out.with_name(f"{out.name}.part")


@contextmanager
def _finished(out: Path, *, folder: bool) -> Iterator[Path]:
    """Where to write until all of it is there; only then it gets its name. What did not end well is removed."""
    part = _part(out)
    with _said(out):
        _make(part, folder=folder)
        try:
            yield part
            if out.exists():
                raise UsageError(f"{out} was made meanwhile and is not overwritten: choose another --out")
            part.rename(out)
        finally:
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)


def _make(path: Path, *, folder: bool) -> None:
    """A new file or folder for nobody but its owner."""
    if folder:
        path.mkdir(mode=0o700)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextmanager
def _said(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CollectorError(f"can't write {out}: {error.strerror}") from error
