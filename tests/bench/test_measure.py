"""How runs are timed: in turn, the first call apart, all in their contexts."""

import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from jaxcnn.bench import measure
from jaxcnn.bench.measure import Run, first, interleaved

NOW = 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time that only programs make pass, a quarter of it with a processor at work."""
    fake = SimpleNamespace(perf_counter=lambda: NOW, process_time=lambda: NOW / 4, sleep=lambda seconds: None)
    monkeypatch.setattr(measure, "time", fake)


class Program:
    """A program that notes its calls, and lasts as long as it is told."""

    def __init__(self, log, name, seconds=0.001, slow_start=0.0):
        self.log, self.name, self.seconds, self.slow_start = log, name, seconds, slow_start

    def __call__(self):
        global NOW
        self.log.append(self.name)
        NOW += self.seconds + self.slow_start
        self.slow_start = 0.0
        return self.name

    def run(self, **options):
        return Run(self, lambda result: self.log.append(f"waited for {result}"), **options)


@pytest.fixture
def single(monkeypatch):
    """A sample is one call, after its lead-in."""
    monkeypatch.setattr(measure, "SAMPLE", 1e-9)


def test_samples_are_taken_in_turn_and_each_is_waited_for(single):
    log = []
    runs = [Program(log, name).run() for name in "ab"]
    timings = interleaved(runs, [0.0, 0.0], 3)
    calls = [entry for entry in log if not entry.startswith("waited")]
    assert calls[:2] == ["a", "b"], "once to see how long"
    turns = [calls[at : at + 4] for at in range(2, 14, 4)]
    assert all(turn in ([*"aabb"], [*"bbaa"]) for turn in turns) and len(calls) == 14, "then each is led in"
    assert log.count("waited for a") == log.count("a")
    assert [t.samples for t in timings] == [3, 3]


def test_nobody_always_follows_the_same_one(single):
    log = []
    interleaved([Program(log, name).run() for name in "abc"], [0.0] * 3, 9)
    sampled = [entry for entry in log if entry in "abc"][3::2]
    assert all({*sampled[at : at + 3]} == {*"abc"} for at in range(0, 27, 3))
    followed = set(itertools.pairwise(sampled))
    assert followed >= {(one, other) for one in "abc" for other in "abc" if one != other}


def test_a_sample_begins_when_others_threads_rest(single, monkeypatch):
    """The first program's spin for 15 ms of the processor after its call, the second's for ever."""
    log, spinning, burnt = [], {"a": 0.015, "b": 10.0}, 0.0

    def sleep(seconds):
        nonlocal burnt
        global NOW
        last = next((entry for entry in reversed(log) if entry in spinning), "")
        spun = min(seconds, spinning.get(last, 0.0))
        log.append("pause")
        NOW += seconds
        burnt += spun
        if last:
            spinning[last] -= spun

    fake = SimpleNamespace(perf_counter=lambda: NOW, process_time=lambda: burnt, sleep=sleep)
    monkeypatch.setattr(measure, "time", fake)
    rested = []
    for name in "ab":
        measure.first(Program(log, name).run())
        log.append("rest")
        measure.rest()
        rested.append(log[::-1].index("rest") * measure.PAUSE)
    assert rested[0] == pytest.approx(0.018, abs=0.003), "and one pause to see it"
    assert rested[1] == pytest.approx(measure.LONGEST, abs=0.003)
    del log[:]
    interleaved([Program(log, "c").run()], [0.0], 1)
    assert [entry for entry in log if entry in "c pause"] == ["c", "pause", "c", "c"]


def test_a_short_program_is_called_many_times_in_a_sample_and_waited_for_once():
    log = []
    (timing,) = interleaved([Program(log, "a", 0.002).run()], [0.0], 1)
    assert log.count("a") == 1 + 1 + 10, "to see how long, the lead-in, and 20 ms of calls"
    assert log.count("waited for a") == 3
    assert timing.median == pytest.approx(0.002)


def test_compiling_is_not_part_of_the_time():
    run = Program([], "a", 0.001, slow_start=0.2).run()
    seconds, result = first(run)
    (timing,) = interleaved([run], [seconds], 3)
    assert result == "a"
    assert seconds == pytest.approx(0.201)
    assert timing.compile == pytest.approx(0.2)
    assert [timing.low, timing.median, timing.high] == pytest.approx([0.001] * 3)


def test_cores_are_processor_time_over_wall_time():
    (timing,) = interleaved([Program([], "a").run()], [0.0], 2)
    assert timing.cores == pytest.approx(0.25)


def test_a_long_program_gets_fewer_samples_but_the_others_all(single, monkeypatch):
    monkeypatch.setattr(measure, "PATIENCE", 0.02)
    ticks = []
    runs = [Program([], "a", 0.03).run(), Program([], "b").run()]
    timings = interleaved(runs, [0.0, 0.0], 5, lambda: ticks.append(1))
    assert [t.samples for t in timings] == [measure.FEWEST, 5]
    assert len(ticks) == 10


def test_when_the_time_is_over_few_samples_do(single):
    timings = interleaved([Program([], name).run() for name in "ab"], [0.0, 0.0], 9, until=NOW)
    assert [t.samples for t in timings] == [measure.FEWEST] * 2


def test_every_call_of_a_sample_counts_against_patience(monkeypatch):
    monkeypatch.setattr(measure, "PATIENCE", 0.05)  # of three samples, each of 20 calls
    (timing,) = interleaved([Program([], "a", 0.001).run()], [0.0], 5)
    assert timing.samples == measure.FEWEST


def test_every_call_is_within_its_context():
    log, inside = [], []

    @contextmanager
    def within():
        inside.append(True)
        yield
        inside.pop()

    program = Program([], "a")

    def call():
        log.append(bool(inside))
        program()

    run = Run(call, lambda _: None, within)
    first(run)
    interleaved([run], [0.0], 2)
    assert all(log) and len(log) > 4
    assert not inside
