"""Gradient descent with batches of three sizes, shortened."""

import jax.numpy as jnp
import numpy as np

from experiments import gradient_descent as experiment

SHORT = experiment.Config(epochs=1, rates=(0.003, 1e30), batch_sizes=(32, 1437))


def test_the_best_rate_is_kept_and_optax_ends_in_the_same_bits(tmp_path, capsys):
    best = experiment.main(SHORT, 3, tmp_path)
    assert {size: trace.rate for size, trace in best.items()} == {32: 0.003, 1437: 0.003}  # 1e30 ends in NaN
    assert [best[size].examples[-1] for size in (32, 1437)] == [96, 1437]
    assert all(trace.losses[-1] < trace.losses[0] for trace in best.values())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("B = 32: loss") and lines[0].endswith("η = 0.003; optax.sgd gives the same bits")
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


def test_the_best_is_the_one_that_ends_lowest():
    losses = {0.3: (2.3, float("nan")), 0.003: (2.3, 1.0), 0.03: (2.4, 0.5)}
    traces = [experiment.Trace(rate, [0, 32], [0.0, 1.0], list(ends), {}) for rate, ends in losses.items()]
    assert experiment.best_of(traces).rate == 0.03


def test_the_update_by_hand():
    params, gradients = {"w": jnp.array([1.0, -2.0])}, {"w": jnp.array([0.5, 0.25])}
    np.testing.assert_array_equal(experiment.by_hand(params, gradients, 2.0)["w"], [0.0, -2.5])


def test_other_bits_are_seen():
    one = {"w": np.array([1.0], np.float32)}
    assert experiment.same_bits(one, {"w": one["w"].copy()})
    assert not experiment.same_bits(one, {"w": np.nextafter(one["w"], np.float32(2))})
    assert not experiment.same_bits({"w": np.array([0.0])}, {"w": np.array([-0.0])})
