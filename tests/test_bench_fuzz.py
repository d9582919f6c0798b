"""The fuzzer finds what it looks for: a crash, a slow reply, two readings that differ."""

import gc
import json
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from bench import fuzz_targets
from bench.fuzz import USUAL_BYTES, Findings, Fuzzer, Stopwatch, fuzz, main
from bench.mutations import MAX_BYTES, Mutator
from collector.errors import ConfigError, ExchangeError
from tests.naive_wire import naive_rows

SEEDS = (b'[{"asset":"BTC","free":"1"}]', b"[]", b"")


class Planted:
    """A target that does what a test wants."""

    seeds: Sequence[bytes] = SEEDS
    tokens: Sequence[bytes] = (b"0", b"{")

    def __init__(self, read: Callable[[bytes], object], judge: Callable[[bytes, Any], str] | None = None) -> None:
        self._read = read
        self._judge = judge

    def read(self, document: bytes) -> object:
        """What is planted."""
        return self._read(document)

    def judge(self, document: bytes, result: Any) -> str:
        """Everything is right, unless planted otherwise."""
        return self._judge(document, result) if self._judge else "right"


def dice(seed: int) -> Random:
    """Random numbers that follow from the seed."""
    return Random(seed)  # noqa: S311 - reproducible, not secret


def found(target: fuzz_targets.Target, runs: int) -> Findings:
    """What some runs find."""
    return fuzz(target, Findings(target="planted", engine="plain", seed=1, limit_ms=50), runs)


def boom(_: bytes) -> object:
    """A bug."""
    raise ZeroDivisionError("boom")


def test_documents_follow_from_the_seed_alone() -> None:
    """What was found can be made again."""
    mutator = Mutator(SEEDS, (b"x",))
    made = [mutator.make(dice(n)) for n in range(300)]
    assert made == [mutator.make(dice(n)) for n in range(300)]
    assert len(set(made)) > 100
    assert max(map(len, made)) <= MAX_BYTES


def test_a_crash_is_found() -> None:
    """Whatever is not an error of our own is a bug; the search goes on after it."""
    findings = found(Planted(boom), 3)
    assert (findings.runs, len(findings.flaws), findings.is_clean) == (3, 3, False)
    assert findings.flaws[0].startswith("run 0: ZeroDivisionError: boom: ")


def test_an_error_of_our_own_is_a_result() -> None:
    """Most damaged replies are refused, which is right."""

    def refuse(_: bytes) -> object:
        raise ExchangeError("refused", reason="bad_reply")

    findings = found(Planted(refuse, lambda _, result: type(result).__name__), 5)
    assert findings.outcomes == {"ExchangeError": 5}
    assert findings.is_clean


def busy(seconds: float) -> None:
    """Keep the processor busy."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_what_is_slow_each_time_is_found() -> None:
    """And what another process delayed is not held against the code, be it once or each time."""
    findings = found(Planted(lambda _: busy(0.06)), 1)
    assert len(findings.too_slow) == 1
    assert min(findings.slowest_ms, findings.slowest_cpu_ms) > 50
    delays = iter([0.06])
    findings = found(Planted(lambda _: busy(next(delays, 0))), 3)
    assert (findings.over_limit_once, findings.too_slow) == (1, [])
    findings = found(Planted(lambda _: time.sleep(0.06)), 1)
    assert (findings.over_limit_once, findings.too_slow) == (1, [])
    assert findings.slowest_ms > 50 > findings.slowest_cpu_ms


@pytest.mark.parametrize(("kib", "allowed_ms"), [(1, 50), (16, 50), (32, 100), (128, 400)])
def test_a_long_configuration_may_take_as_much_more(kib: int, allowed_ms: float) -> None:
    """Thousands of accounts have to be readable, and one takes no time that anybody would notice."""
    findings = Findings(target="config", engine="plain", seed=1, usual_bytes=USUAL_BYTES["config"])
    assert findings.allowed_ms(b"#" * kib * 1024) == allowed_ms


@pytest.mark.parametrize("name", ["wire", "replies"])
def test_no_reply_may_take_more_than_50_ms(name: str) -> None:
    """However long it is: the next account waits for it."""
    findings = Findings(target=name, engine="plain", seed=1, usual_bytes=USUAL_BYTES[name])
    assert findings.allowed_ms(b"[" * MAX_BYTES) == 50


def test_a_pause_of_the_garbage_collector_is_told_apart() -> None:
    """It belongs to all that ran before, not to this reply; both numbers are reported."""
    junk: list[Any] = [[] for _ in range(300_000)]
    with Stopwatch() as watch:
        gc.collect()
    assert junk
    assert watch.paused_ms > watch.all_ms / 2
    assert watch.own_ms == pytest.approx(watch.all_ms - watch.paused_ms)


@pytest.mark.parametrize("broken", [lambda _: {}, lambda body: None if naive_rows(body) else {}])
def test_two_readings_that_differ_are_found(monkeypatch: pytest.MonkeyPatch, broken: Callable[[bytes], Any]) -> None:
    """A second reader that never complains would prove nothing."""
    monkeypatch.setattr(fuzz_targets, "naive_rows", broken)
    findings = found(fuzz_targets.Wire(), 50)
    assert findings.outcomes["flaw"] > 10
    assert "the naive validator says" in findings.flaws[0]


def test_a_lost_digit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only what is data, but each digit of it is compared."""
    monkeypatch.setattr(fuzz_targets, "plain", lambda amount: str(float(amount)))
    assert found(fuzz_targets.Wire(), 50).outcomes["flaw"] > 5


def test_a_secret_that_is_told_is_found() -> None:
    """Else the check of what the configuration says would be worth nothing."""
    fuzzer = fuzz_targets.Config()
    document = fuzzer.seeds[1]
    assert fuzzer.judge(document, fuzzer.read(document)) == "settings"
    for secret in fuzzer.secrets:
        with pytest.raises(fuzz_targets.FlawError, match=f"{secret} is told"):
            fuzzer.judge(document, ConfigError(f"it is {secret}"))
    with pytest.raises(fuzz_targets.FlawError, match="not an error of the configuration"):
        fuzzer.judge(document, ExchangeError("x", reason="x"))
    with pytest.raises(fuzz_targets.FlawError, match="not one sentence"):
        fuzzer.judge(document, ConfigError("two\nlines"))
    moved = document.replace(b'asset = "BTC"', f'asset = "{fuzzer.secrets[0]}"'.encode())
    assert fuzzer.judge(moved, fuzzer.read(moved)) == "settings"


@pytest.mark.parametrize("target", ["wire", "replies", "config"])
def test_a_thousand_damaged_documents_find_nothing(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The long runs, recorded in docs/benchmarks.md, also judge the time; a busy machine must not fail this one."""
    assert main([target, "--runs", "1000", "--engine", "plain", "--limit-ms", "inf", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["flaws"], told["too_slow"], told["clean"]) == (1000, [], [], True)
    assert len(told["outcomes"]) > 1


def test_what_was_found_is_printed_with_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run in CI has to fail."""
    monkeypatch.setitem(fuzz_targets.TARGETS, "wire", lambda: Planted(boom))
    assert main(["wire", "--runs", "2", "--engine", "plain"]) == 1
    told = capsys.readouterr().out
    assert "wire: 2 runs in" in told
    assert "outcomes: flaw 2" in told
    assert "run 1: ZeroDivisionError: boom" in told


def test_the_number_of_a_run_leads_back_to_its_document() -> None:
    """The list of flaws names runs."""
    findings = Findings(target="planted", engine="plain", seed=3, limit_ms=50)
    kept: list[bytes] = []
    fuzz(Planted(kept.append), findings, 5)
    mutator = Mutator(SEEDS, Planted.tokens)
    assert kept[4] == mutator.make(dice(3 * 10**9 + 4))
    Fuzzer(Planted(kept.append), findings).try_one(b"one more")
    assert kept[-1] == b"one more"
