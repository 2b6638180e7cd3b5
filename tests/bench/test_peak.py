"""This machine's peaks: what its fastest moment reached."""

import pytest

from jaxcnn.bench import peak


@pytest.fixture
def taken(monkeypatch):
    """Samples without programs, in the order in which they are taken: each of a run is faster than the one before."""
    order = []

    def sample(run, calls):
        order.append(run)
        return 1.0 / order.count(run), 0.0

    monkeypatch.setattr(peak, "_products", lambda size, precision: [f"{precision} by {who}" for who in "ab"])
    monkeypatch.setattr(peak, "_copy", lambda: "copy")
    monkeypatch.setattr(peak, "first", lambda run: None)
    monkeypatch.setattr(peak, "calls_of", lambda run: 1)
    monkeypatch.setattr(peak, "sample", sample)
    return order


def test_the_fastest_sample_counts_and_samples_are_taken_in_turn(taken):
    found = peak.peaks(("float32", "bfloat16"), 10, 4)
    turn = ["float32 by a", "float32 by b", "bfloat16 by a", "bfloat16 by b", "copy"]
    assert taken == turn * 4
    products = dict.fromkeys(("float32", "bfloat16"), pytest.approx(8000))
    assert found == products | {"memory": pytest.approx(8 * peak.COPIED * 4)}


def test_the_programs_themselves(monkeypatch):
    monkeypatch.setattr(peak, "COPIED", 64)
    found = peak.peaks(("float32",), 8)
    assert set(found) == {"float32", "memory"}
    assert all(rate > 0 for rate in found.values())
