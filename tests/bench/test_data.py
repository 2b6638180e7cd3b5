"""The loader alone, timed."""

from dataclasses import replace

import pytest

from jaxcnn.bench import data as bench
from jaxcnn.data import load


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(bench, "SAMPLE", 0.01)


def test_a_way_in_memory_and_one_for_each_number_of_workers():
    digits = load("digits", image_size=8)
    memory, threads = bench.speeds([digits, replace(digits, workers=0)], [0], batch_size=16, repeats=2)
    assert (memory.way, threads.way) == ("in memory", "streamed by threads")
    assert len(memory.samples) == len(threads.samples) == 2
    assert min(memory.samples + threads.samples) > 0 and threads.first > 0
