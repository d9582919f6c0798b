"""Random damage to replies and configurations: `python -m bench.fuzz wire --runs 1000000`.

None of it may crash the code, take more than 50 ms, or be judged otherwise than by a second, naive reader. A
configuration above 16 KiB, which some hundred accounts fill, may take as much more as it is longer: thousands of
accounts are as right as one, they are read once, and tomllib takes a millisecond for each KiB.

Atheris guides the damage by coverage where it is installed, else a plain seeded mutator does it. Each document of the
plain one follows from --seed and its number alone.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from bench.mutations import MAX_BYTES, Mutator
from collector.errors import CollectorError

if TYPE_CHECKING:
    from bench.fuzz_targets import Target

LIMIT_MS = 50.0
USUAL_BYTES = {"wire": MAX_BYTES, "replies": MAX_BYTES, "config": 16 * 1024}
TRIES = 5
SHOWN = 10
SHOWN_LENGTH = 300


@dataclass(slots=True, kw_only=True)
class Findings:
    """What came of all runs.

    `slowest_ms` and `slowest_with_gc_ms` are wall clock, the first without pauses of the garbage collector;
    `slowest_cpu_ms` is the processor's time alone, which no other process on the machine can lengthen.
    """

    target: str
    engine: str
    seed: int
    limit_ms: float = LIMIT_MS
    usual_bytes: int = MAX_BYTES
    runs: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    slowest_bytes: int = 0
    slowest_with_gc_ms: float = 0.0
    slowest_cpu_ms: float = 0.0
    over_limit_once: int = 0
    too_slow: list[str] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    peak_memory_mib: int = 0

    def allowed_ms(self, document: bytes) -> float:
        """How long this document may take: what is longer than usual may take as much more."""
        return self.limit_ms * max(1.0, len(document) / self.usual_bytes)

    @property
    def is_clean(self) -> bool:
        """True when there is nothing to mend."""
        return not (self.flaws or self.too_slow)


class Stopwatch:
    """Times what runs inside, on the wall and in this thread, and how long the garbage collector had it stopped."""

    def __init__(self) -> None:
        self.all_ms = self.paused_ms = self.cpu_ms = 0.0
        self._began = self._paused_at = self._cpu_began = 0.0

    def __enter__(self) -> Self:
        gc.callbacks.append(self._collecting)
        self._cpu_began = time.thread_time()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.all_ms = (time.perf_counter() - self._began) * 1000
        self.cpu_ms = (time.thread_time() - self._cpu_began) * 1000
        gc.callbacks.remove(self._collecting)

    def _collecting(self, phase: str, _: dict[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._paused_at = now
        else:
            self.paused_ms += (now - self._paused_at) * 1000

    @property
    def own_ms(self) -> float:
        """Without the garbage collector's pauses."""
        return self.all_ms - self.paused_ms

    @property
    def slow_ms(self) -> float:
        """What counts against the code: as little as either clock says, for the other one also counts other work."""
        return min(self.own_ms, self.cpu_ms)


class Fuzzer:
    """Gives documents to a target and keeps what it finds."""

    def __init__(self, target: Target, findings: Findings) -> None:
        self._target = target
        self._findings = findings
        self._started = time.monotonic()

    def try_one(self, document: bytes) -> None:
        """One run; a crash and a disagreement are noted, and the next one can follow."""
        number = self._findings.runs
        self._findings.runs += 1
        try:
            result, watch = self._read(document)
            self._note_time(document, watch, number)
            self._findings.outcomes[self._target.judge(document, result)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            self._findings.outcomes["flaw"] += 1
            told = f"{type(error).__name__}: {error}"[:SHOWN_LENGTH]
            self._findings.flaws.append(f"run {number}: {told}: {document[:SHOWN_LENGTH]!r}")

    def _read(self, document: bytes) -> tuple[Any, Stopwatch]:
        with Stopwatch() as watch:
            try:
                result = self._target.read(document)
            except CollectorError as error:
                result = error
        return result, watch

    def _note_time(self, document: bytes, watch: Stopwatch, number: int) -> None:
        findings = self._findings
        findings.slowest_with_gc_ms = max(findings.slowest_with_gc_ms, watch.all_ms)
        if watch.own_ms > findings.slowest_ms:
            findings.slowest_ms, findings.slowest_bytes = watch.own_ms, len(document)
        findings.slowest_cpu_ms = max(findings.slowest_cpu_ms, watch.cpu_ms)
        if watch.own_ms > findings.allowed_ms(document):
            # Another process may have had the processor: what is slow by itself is slow each time.
            findings.over_limit_once += 1
            fastest = min(self._read(document)[1].slow_ms for _ in range(TRIES))
            if fastest > findings.allowed_ms(document):
                findings.too_slow.append(f"run {number}: {fastest:.1f} ms: {len(document)} bytes: {document[:100]!r}")

    def finish(self) -> Findings:
        """The findings, complete."""
        self._findings.seconds = round(time.monotonic() - self._started, 1)
        self._findings.peak_memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return self._findings


def fuzz(target: Target, findings: Findings, runs: int) -> Findings:
    """Run the plain mutator."""
    mutator, fuzzer = Mutator(target.seeds, target.tokens), Fuzzer(target, findings)
    for number in range(runs):
        fuzzer.try_one(mutator.make(Random(findings.seed * 10**9 + number)))
    return fuzzer.finish()


def fuzz_with_atheris(name: str, findings: Findings, runs: int, *, as_json: bool) -> None:
    """Run Atheris, which never returns: the last run ends the process."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["collector", "tomllib", "json"]):
        from bench.fuzz_targets import TARGETS  # noqa: PLC0415 - what is imported here is instrumented
    target: Target = TARGETS[name]()
    fuzzer, mutator = Fuzzer(target, findings), Mutator(target.seeds, target.tokens)

    def change(document: bytes, most: int, seed: int) -> bytes:
        # Half of it in Atheris' own way, which knows what comparisons have seen.
        changed: bytes = mutator.change(Random(seed), document) if seed % 2 else atheris.Mutate(document, most)
        return changed[:most]

    def one(document: bytes) -> None:
        fuzzer.try_one(document)
        if findings.runs >= runs:
            code = report(fuzzer.finish(), as_json=as_json)
            sys.stdout.flush()
            os._exit(code)

    with TemporaryDirectory(prefix="corpus-") as folder:
        for number, document in enumerate((*target.seeds, *target.tokens)):
            (Path(folder) / str(number)).write_bytes(document)
        options = [f"-seed={findings.seed}", f"-max_len={MAX_BYTES}", "-mutate_depth=1", "-verbosity=0", folder]
        atheris.Setup([sys.argv[0], *options], one, custom_mutator=change)
        atheris.Fuzz()


def report(findings: Findings, *, as_json: bool) -> int:
    """Print the findings; the exit code."""
    if as_json:
        values = {each.name: getattr(findings, each.name) for each in fields(findings)}
        print(json.dumps(values | {"clean": findings.is_clean}))
        return 0 if findings.is_clean else 1
    outcomes = ", ".join(f"{word} {number}" for word, number in findings.outcomes.most_common())
    print(f"{findings.target}: {findings.runs} runs in {findings.seconds} s ({findings.engine}, seed {findings.seed})")
    print(f"outcomes: {outcomes}")
    print(
        f"slowest: {findings.slowest_ms:.2f} ms ({findings.slowest_bytes} bytes),"
        f" {findings.slowest_with_gc_ms:.2f} ms with garbage collection,"
        f" {findings.slowest_cpu_ms:.2f} ms of the processor;"
        f" above {findings.limit_ms:.0f} ms once: {findings.over_limit_once},"
        f" each time: {len(findings.too_slow)}"
    )
    print(f"crashes and disagreements: {len(findings.flaws)}; peak memory {findings.peak_memory_mib} MiB")
    for sentence in (*findings.flaws[:SHOWN], *findings.too_slow[:SHOWN]):
        print(f"  {sentence}")
    return 0 if findings.is_clean else 1


def main(arguments: Sequence[str]) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description="Fuzz replies or configurations.")
    parser.add_argument("target", choices=USUAL_BYTES)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("auto", "plain", "atheris"), default="auto")
    parser.add_argument("--limit-ms", type=float, default=LIMIT_MS, help="what takes longer, each time, is a finding")
    parser.add_argument("--json", action="store_true", dest="as_json")
    said = parser.parse_args(arguments)
    engine = said.engine if said.engine != "auto" else "atheris" if find_spec("atheris") else "plain"
    usual = USUAL_BYTES[said.target]
    findings = Findings(target=said.target, engine=engine, seed=said.seed, limit_ms=said.limit_ms, usual_bytes=usual)
    if engine == "atheris":
        fuzz_with_atheris(said.target, findings, said.runs, as_json=said.as_json)
    from bench.fuzz_targets import TARGETS  # noqa: PLC0415 - after Atheris had its chance to instrument it

    return report(fuzz(TARGETS[said.target](), findings, said.runs), as_json=said.as_json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
