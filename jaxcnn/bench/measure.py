"""How long programs take: run in turn, in one process, so that a busy moment of the machine hits all of them alike."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

SAMPLE = 0.02  # seconds that a sample lasts at least: shorter programs are called several times in one
PATIENCE = 10.0  # seconds of samples after which `FEWEST` of them will do
FEWEST = 3
PAUSE, IDLE = 0.002, 0.1  # seconds to look for whether the process rests, and the share of them that it may compute
LONGEST = 0.5  # seconds to wait for that


@dataclass(frozen=True)
class Run:
    """A program to time: `call` starts it, `wait` returns when what it returned is there, all `within` a context.

    Calls of one sample follow each other without waiting, as the steps of a training loop do. Where each result is
    to be waited for, `call` waits.
    """

    call: Callable[[], Any]
    wait: Callable[[Any], object]
    within: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass(frozen=True)
class Timing:
    """Seconds that a call took: the median and the quartiles of the samples.

    Attributes:
      compile: seconds of the first call, less the median.
      cores: processor time over wall time in the samples; how many cores were busy.
    """

    median: float
    low: float
    high: float
    samples: int
    compile: float
    cores: float


def first(run: Run) -> tuple[float, Any]:
    """Call for the first time, which compiles: (seconds, the result)."""
    with run.within():
        started = time.perf_counter()
        result = run.call()
        run.wait(result)
        return time.perf_counter() - started, result


def interleaved(
    runs: Sequence[Run],
    firsts: Sequence[float],
    repeats: int,
    tick: Callable[[], object] = lambda: None,
    until: float = math.inf,
) -> list[Timing]:
    """Take `repeats` samples of each run, one of each in a turn; `firsts` are the seconds that their first calls took.

    Each turn has an order of its own: whoever always came after the same one would have its memory to put up with.

    A sample is as many calls as last `SAMPLE` seconds. It begins when the process rests: other libraries' threads spin
    for a while after their work, on the cores that the next one needs. Before it comes a call that is not counted, so
    that a step is timed as in a training loop, after one of its own: the call brings data back into the caches and
    freed memory back from the system. A program that has taken `PATIENCE` seconds gets `FEWEST` samples, and so do all
    when `time.perf_counter()` is at `until`. `tick` is called after each sample, taken or left out.
    """
    calls = [calls_of(run) for run in runs]
    samples: list[list[tuple[float, float]]] = [[] for _ in runs]
    for turn in range(repeats):
        for i in np.random.default_rng(turn).permutation(len(runs)):
            run, n, taken = runs[i], calls[i], samples[i]
            patient = n * sum(wall for wall, _ in taken) < PATIENCE and time.perf_counter() < until
            if len(taken) < FEWEST or patient:
                taken.append(sample(run, n))
            tick()
    return [_timing(np.array(taken), seconds) for taken, seconds in zip(samples, firsts, strict=True)]


def calls_of(run: Run) -> int:
    """How many calls last as long as a sample has to, by one of them."""
    return max(1, math.ceil(SAMPLE / first(run)[0]))


def sample(run: Run, calls: int) -> tuple[float, float]:
    """(wall seconds, processor seconds) of a call, averaged over `calls` of them, after one that does not count."""
    rest()
    with run.within(), _no_collection():
        run.wait(run.call())
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(calls):
            result = run.call()
        run.wait(result)
        return (time.perf_counter() - wall) / calls, (time.process_time() - processor) / calls


def rest() -> None:
    """Wait until no thread of this process computes, `LONGEST` at most."""
    until, busy = time.perf_counter() + LONGEST, math.inf
    while busy > IDLE * PAUSE and time.perf_counter() < until:
        before = time.process_time()
        time.sleep(PAUSE)
        busy = time.process_time() - before


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without Python's garbage collector, whose pauses belong to no program in particular."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _timing(samples: "np.ndarray[Any, Any]", first: float) -> Timing:
    wall, processor = samples.T
    low, median, high = (float(q) for q in np.quantile(wall, [0.25, 0.5, 0.75]))
    return Timing(
        median=median,
        low=low,
        high=high,
        samples=len(wall),
        compile=max(first - median, 0.0),
        cores=float(processor.sum() / wall.sum()),
    )
