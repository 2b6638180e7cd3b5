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
    monkeypatch.setattr(peak, "first", lambda run: (1.0, None))
    monkeypatch.setattr(peak, "calls_of", lambda run: 1)
    monkeypatch.setattr(peak, "sample", sample)
    return order


def test_the_fastest_sample_counts_and_samples_are_taken_in_turn(taken):
    found = peak.peaks(("float32", "bfloat16"), 10, 4)
    turn = ["float32 by a", "float32 by b", "bfloat16 by a", "bfloat16 by b", "copy"]
    assert taken == turn * 4
    products = dict.fromkeys(("float32", "bfloat16"), pytest.approx(8000))
    assert found == products | {"memory": pytest.approx(8 * peak.COPIED * 4)}


def test_who_is_hopeless_at_small_matrices_is_not_asked_for_large_ones(taken, monkeypatch):
    monkeypatch.setattr(peak, "_products", lambda size, precision: [f"{size} by {who}" for who in "abc"])
    monkeypatch.setattr(peak, "first", lambda run: ({"10 by b": 21.0, "10 by c": 19.0}.get(run, 1.0), None))
    peak.peaks(("bfloat16",), 80, 1)
    assert taken == ["80 by a", "80 by c", "copy"]


def test_the_programs_themselves(monkeypatch):
    monkeypatch.setattr(peak, "COPIED", 64)
    found = peak.peaks(("float32",), 8)
    assert set(found) == {"float32", "memory"}
    assert all(rate > 0 for rate in found.values())
