"""What the sandbox remembers of requests."""

from collector.sandbox.journal import Journal, Served


def served(number: int) -> Served:
    """An entry with nothing remarkable."""
    return Served(
        number=number,
        account="main",
        client_ip="127.0.0.1",
        method="GET",
        path="/api/v3/time",
        arrived_ms=number,
        signature=None,
        faults=(),
    )


def test_the_oldest_are_forgotten() -> None:
    """A sandbox that runs for a day must not grow for a day."""
    journal = Journal(3)
    for number in range(1, 6):
        journal.note(served(number))
    assert [entry.number for entry in journal.entries()] == [3, 4, 5]


def test_a_late_end_does_not_bring_a_forgotten_entry_back() -> None:
    """A request that hung while many others came would else push a newer one out."""
    journal = Journal(2)
    for number in (1, 2, 3, 1):
        journal.note(served(number))
    assert [entry.number for entry in journal.entries()] == [2, 3]
