"""The command that serves a Binance-compatible exchange on this machine."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collector.errors import UsageError

if TYPE_CHECKING:
    from collector.sandbox.faults import Fault

MAX_ACCOUNTS = 100_000


class FaultType(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """A fault as a JSON object."""

    name = "json"
    envvar_list_splitter = "\n"  # an environment variable may hold several, one in each line

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fault:  # noqa: ARG002 - click's
        from collector.sandbox.faults import fault_from

        try:
            return fault_from(json.loads(value))
        except ValueError as e:
            raise UsageError(f"--fault must be a JSON object: {e}") from e


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--reply", type=click.Path(path_type=Path), metavar="FILE", help="Serve this reply, digit for digit.")
@click.option("--accounts", type=click.IntRange(1, MAX_ACCOUNTS), default=1, help="How many accounts there are.")
@click.option("--seed", type=int, default=1, help="Another number gives other keys and portfolios.")
@click.option(
    "--fault", type=FaultType(), multiple=True, metavar="JSON", help="Let something go wrong; may be repeated."
)
@click.option("--faults", type=click.Path(path_type=Path), metavar="FILE", help="A JSON array of faults.")
def sandbox(
    *, port: int, reply: Path | None, accounts: int, seed: int, fault: tuple[Fault, ...], faults: Path | None
) -> None:
    """Serve a make-believe exchange until interrupted, and print its address and keys as a line of JSON."""
    from collector.sandbox.server import Sandbox

    document = _reply(reply) if reply else None
    script = [*fault, *(_faults(faults) if faults else ())]
    ending = _ending()
    with Sandbox(accounts, seed=seed, reply=document, port=port) as exchange:
        exchange.script(*script)
        click.echo(json.dumps(exchange.describe(), separators=(",", ":"), ensure_ascii=False))
        ending.wait()


def _reply(path: Path) -> bytes:
    content = _content(path, "--reply")
    rows = _decoded(content, f"the reply in {path}")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"the reply in {path} must be a JSON array of objects, as getUserAsset gives it")
    return content


def _faults(path: Path) -> Iterable[Fault]:
    from collector.sandbox.faults import fault_from

    script = _decoded(_content(path, "--faults"), f"the fault script {path}")
    if not isinstance(script, list):
        raise UsageError(f"the fault script {path} must be a JSON array of objects")
    return [fault_from(entry) for entry in script]


def _content(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise UsageError(f"the file {path} named by {option} can't be read: {e.strerror}") from e


def _decoded(content: bytes, what: str) -> object:
    try:
        return json.loads(content.decode())
    except UnicodeDecodeError as e:
        raise UsageError(f"{what} is not UTF-8 text") from e
    except (ValueError, RecursionError) as e:
        raise UsageError(f"{what} is not JSON: {str(e)[:1].lower()}{str(e)[1:]}") from e


def _ending() -> threading.Event:
    """Set by SIGINT and SIGTERM."""
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    return ending
