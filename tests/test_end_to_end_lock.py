"""Two processes on one database: the second one leaves, and death frees the place at once."""

import socket
from pathlib import Path

from tests.daemons import crew, until

EXIT_TEMPORARY = 75


def test_a_second_daemon_says_who_holds_the_database(tmp_path: Path, database_url: str) -> None:
    """Two collectors on one ledger would answer each tick twice; a supervisor must not have to wait after a crash."""
    with crew(tmp_path, database_url) as together:
        first = together.start()
        first.first_due_at()

        second = together.start()
        assert second.ended() == EXIT_TEMPORARY
        sentence = second.said().splitlines()[-1]
        assert sentence.startswith("collector: another process (pid ")
        assert f"(pid {first.pid} on {socket.gethostname()})" in sentence
        assert "Traceback" not in second.said()

        before = first.said().count(" stored: ")
        until("more snapshots", lambda: first.said().count(" stored: ") >= before + 2)

        first.kill()
        third = together.start()
        third.first_due_at()
        until("a snapshot of the next one", lambda: " stored: " in third.said())
        assert third.stop()[0] == 0
