"""What a child would keep when a history is thinned: groups by the calendar's own names, and their two ends."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from collector.domain.thinning import Keep, Rule

NAMES = {Keep.HOURLY: "%Y-%m-%d %H", Keep.DAILY: "%Y-%m-%d", Keep.WEEKLY: "%G-%V", Keep.MONTHLY: "%Y-%m"}


def surviving(due: Iterable[int], chosen: Sequence[Rule], newest: int) -> set[int]:
    """For each rule the first and the last of each named period in UTC, cut to its span."""
    every, kept = sorted(due), set()
    for rule in chosen:
        groups = defaultdict(list)
        for t in every:
            name = str(t) if rule.keep is Keep.ALL else datetime.fromtimestamp(t, UTC).strftime(NAMES[rule.keep])
            groups[name].append(t)
        ends = {end for group in groups.values() for end in (min(group), max(group))}
        kept |= {t for t in ends if t >= newest - rule.span_s}
    return kept
