"""Configurations that something has damaged: settings or one sentence, and never a secret in it."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fuzz_targets import Config
from collector.errors import CollectorError

CONFIG = Config()
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(CONFIG.tokens) | st.binary(max_size=3)),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module", autouse=True)
def _nothing_of_this_machine() -> Iterator[None]:
    """No configuration of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", "/nonexistent")
        patch.setenv("XDG_DATA_HOME", "/nonexistent")
        yield


@settings(max_examples=200)
@given(st.sampled_from(CONFIG.seeds), edits)
def test_damage_leads_to_settings_or_to_one_sentence(seed: bytes, changes: list[tuple[float, int, bytes]]) -> None:
    """A slip of the finger must neither crash the daemon at its next start nor print a key."""
    document = seed
    for where, dropped, inserted in changes:
        at = int(where * len(document))
        document = document[:at] + inserted + document[at + dropped :]
    try:
        CONFIG.judge(document, CONFIG.read(document))
    except CollectorError as error:
        CONFIG.judge(document, error)
