"""Signatures in what is logged."""

import logging

import pytest

from collector.binance.blanks import blank_logs_of, blanked

URL = "https://h/sapi?timestamp=1&signature=5ec2e7%2B%2Fabc"
BLANK = "https://h/sapi?timestamp=1&signature=***"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (URL, BLANK),
        (f"(url={URL}): broken", f"(url={BLANK}): broken"),
        (f"'{URL}' and \"{URL}\"", f"'{BLANK}' and \"{BLANK}\""),
        ("x?signature=5ec2e7&asset=BTC\nnext line", "x?signature=***&asset=BTC\nnext line"),
        ("url=h%3Fsignature%3D5ec2e7", "url=h%3Fsignature%3D***"),
        ("signature=", "signature=***"),
        ("the signature is wrong", "the signature is wrong"),
        ("nothing", "nothing"),
    ],
)
def test_a_signature_becomes_stars_and_nothing_else_changes(text: str, expected: str) -> None:
    """Who reads the log still sees which request it was."""
    assert blanked(text) == expected


def test_every_logger_of_a_library_is_covered(caplog: pytest.LogCaptureFixture) -> None:
    """A filter of logging counts for the logger that it is given to, not for those below."""
    names = ["somelib", "somelib.pool", "somelib.util.deep", "somelibrary"]
    for name in names:
        logging.getLogger(name)
    blank_logs_of("somelib")
    blank_logs_of("somelib")
    for name in names:
        logging.getLogger(name).warning("%s from %s", URL, name)
    lines = [record.getMessage() for record in caplog.records]
    assert [("5ec2e7" in line) for line in lines] == [False, False, False, True]
    assert lines[1] == f"{BLANK} from somelib.pool"
