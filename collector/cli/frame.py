"""What a command that reads needs to know beside its own options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING

import click

from collector.cli import output
from collector.cli.context import App

if TYPE_CHECKING:
    from collector.domain.periods import Period
    from collector.domain.renames import Renames
    from collector.storage.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The database, the time zone of days, the renamed assets, and the instant at which the command began."""

    url: str = field(repr=False)
    zone: tzinfo
    tz: str
    renames: Renames
    now_ms: int

    @property
    def now_s(self) -> int:
        """The same in whole epoch seconds."""
        return self.now_ms // 1000

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """The database, read-only and at one moment."""
        from collector.storage.reader import reading

        with reading(self.url) as reader:
            yield reader

    def instant(self, written: str, option: str) -> int:
        """Epoch seconds of what an option says; a period stands for its first moment."""
        from collector.domain.timewords import parse_instant

        with _refusing(option):
            return parse_instant(written, zone=self.zone, now_s=self.now_s)

    def instant_ms(self, written: str, option: str) -> int:
        """The same in epoch milliseconds."""
        from collector.domain.timewords import parse_instant_ms

        with _refusing(option):
            return parse_instant_ms(written, zone=self.zone, now_ms=self.now_ms)

    def period(self, written: str, option: str) -> Period:
        """The period that an option names."""
        from collector.domain.timewords import parse_period

        with _refusing(option):
            return parse_period(written, zone=self.zone, now_s=self.now_s)


@contextmanager
def _refusing(option: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.BadParameter(str(error), click.get_current_context(), param_hint=f"'{option}'") from None


def frame_of(app: App) -> Frame:
    """By the configuration and the clock of this machine."""
    settings = app.settings(accounts=False)
    return Frame(
        url=settings.database,
        zone=settings.zone,
        tz=settings.tz,
        renames=settings.renames,
        now_ms=output.now_ms(),
    )
