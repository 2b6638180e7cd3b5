"""The edge of stability: curvature against what is known of it, and a few steps of the run."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxcnn
from experiments import sharpness as experiment
from jaxcnn.layers import Activation, AvgPool, Conv, Dense, Flatten, chain

LINEAR = chain(flatten=Flatten(), head=Dense(3))
CURVED = chain(conv=Conv(2), act=Activation("tanh"), pool=AvgPool(2), flatten=Flatten(), head=Dense(3))


def problem(net):
    """Parameters, 20 random images of 4×4 pixels and targets, in float64."""
    drawn = np.random.default_rng(3)
    params, _ = net.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4, 4, 1), jnp.float64))
    return params, jnp.asarray(drawn.standard_normal((20, 4, 4, 1))), jnp.eye(3)[drawn.integers(0, 3, 20)]


def top_by_hand(images):
    """With y = Wx + b, x̃ = (x, 1) and ½|y - t|², the Hessian is the mean of x̃x̃ᵀ, once for each output."""
    x = np.concatenate([np.reshape(images, (len(images), -1)), np.ones((len(images), 1))], axis=1)
    return np.linalg.eigvalsh(x.T @ x / len(x))[-1]


def test_products_are_those_of_autodiffs_matrices(x64):
    params, images, targets = problem(CURVED)
    flat, unravel = ravel_pytree(params)
    v = np.random.default_rng(4).standard_normal(flat.size)
    with jaxcnn.backward("autodiff"):
        hessian = jax.jit(jax.hessian(lambda w: experiment.loss(CURVED, unravel(w), images, targets)))(flat)
        jacobian = jax.jit(jax.jacrev(lambda w: CURVED.apply(unravel(w), {}, images)[0].ravel()))(flat)
    for product, matrix in (
        (experiment.hessian_product, hessian),
        (experiment.gauss_newton_product, jacobian.T @ jacobian / len(images)),
    ):
        found = ravel_pytree(product(CURVED, params, images, targets, unravel(v)))[0]
        np.testing.assert_allclose(found, matrix @ v, rtol=0, atol=1e-12 * np.abs(matrix @ v).max())


def test_the_sharpness_of_a_linear_network_is_that_by_hand(x64):
    at = problem(LINEAR)
    for product in (experiment.hessian_product, experiment.gauss_newton_product):
        found = experiment.largest(partial(product, LINEAR, *at), at[0])
        np.testing.assert_allclose(found, top_by_hand(at[1]), rtol=1e-3)


def test_a_quadratic_is_learnt_below_its_edge_and_lost_above_it(x64):
    start, images, targets = problem(LINEAR)
    edge = 2 / top_by_hand(images)
    config = experiment.Config(steps=300, every=150)
    below = experiment.descend(config, 0.99 * edge, LINEAR, start, images, targets)
    above = experiment.descend(config, 1.01 * edge, LINEAR, start, images, targets)
    assert max(np.diff(below.losses)) <= 0
    assert above.losses[-1] > above.losses[0]
    assert below.reached is None and above.reached == 0
    with pytest.raises(FloatingPointError, match="η = 1000"):
        experiment.descend(replace(config, steps=400, every=1000), 1000.0, LINEAR, start, images, targets)


def test_claims_can_fail():
    good = experiment.Trace(0.5, [4.0, 3.0, 2.0, 2.5], [0, 1, 2, 3], [2.0, 3.0, 4.0, 4.4], [2.0, 3.0, 4.0, 4.4])
    assert good.reached == 2
    assert experiment.claims(good) == {"hovers": True, "smooth before": True, "Gauss-Newton": True}
    assert not experiment.claims(replace(good, hessian=[2.0, 3.0, 4.0, 8.0]))["hovers"]
    assert not experiment.claims(replace(good, losses=[3.0, 4.0, 2.0, 2.5]))["smooth before"]
    assert not experiment.claims(replace(good, gauss_newton=[2.0, 2.5, 4.0, 4.4]))["Gauss-Newton"]
    assert experiment.claims(replace(good, rate=0.1)) == {"Gauss-Newton": True}


def test_a_small_network_reaches_its_edge(tmp_path, capsys, monkeypatch):
    small = chain(conv=Conv(2, stride=2), act=Activation("tanh"), flatten=Flatten(), head=Dense(10))
    monkeypatch.setattr(experiment, "NET", small)
    (trace,) = experiment.main(experiment.Config(rates=(0.08,), steps=160, every=40), tmp_path)
    assert trace.measured == [0, 40, 80, 120, 160] and trace.reached == 2
    assert len(trace.losses) == 161 and trace.losses[-1] < trace.losses[0] / 2
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[0].split(": ")[1].split()[0]) < 1e-5
    assert lines[1].startswith(f"η = 0.08: loss {trace.losses[0]:.3f} to {trace.losses[-1]:.3f} in 160 steps")
    assert lines[2].startswith("  λ from 22.55 to 2/η = 25 by step 80, from there on 1.")
    assert lines[4] == "  Gauss-Newton: holds, hovers: holds, smooth before: holds"
    assert (tmp_path / "sharpness.png").read_bytes().startswith(b"\x89PNG")
