"""Batch norm folded into the layer before it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    LayerNorm,
    MaxPool,
    WeightStandardizedConv,
    chain,
    concat,
    fold_batch_norm,
    residual,
)
from jaxcnn.layers.walk import leaves
from tests.models.test_models import ONE_OF_EACH, SMALL, smallest
from tests.models.weights import random_weights

# Of each network the batch norms that stay: DenseNet's that come first, and those after pooling or an activation.
STAY = {"densenet121": 5, "cifar_small": 3, "conv_blocks": 3}


def norms(network):
    return sum(isinstance(layer, BatchNorm) for _, layer in leaves(network))


def both(network, shape):
    """The network's weights, what it makes of random images, and what it makes of them folded."""
    params, state = random_weights(network, shape)
    x = np.random.default_rng(1).standard_normal((2, *shape), np.float32)
    folded, *rest = fold_batch_norm(network, params, state)
    before, after = jax.jit(lambda x: (network(params, state, x), folded(*rest, x)))(x)
    return folded, *rest, np.asarray(before), np.asarray(after)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_logits_stay(name):
    network, (shape, _) = smallest(name), SMALL[name]
    folded, params, state, before, after = both(network, shape)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())
    assert norms(folded) == STAY.get(name, 0)
    assert len(jax.tree.leaves(state)) == 2 * norms(folded)
    fresh = jax.eval_shape(lambda: folded.init(jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), np.float32)))
    assert jax.tree.map(jnp.shape, (params, state)) == jax.tree.map(jnp.shape, fresh)


KINDS = {
    "with a bias": chain(conv=Conv(5), bn=BatchNorm(epsilon=0.1)),
    "without": chain(conv=Conv(5, use_bias=False), bn=BatchNorm(momentum=None)),
    "groups": chain(conv=Conv(6, groups=2), bn=BatchNorm()),
    "depthwise": chain(conv=DepthwiseConv(multiplier=2), bn=BatchNorm()),
    "transposed": chain(conv=ConvTranspose(5, 2, stride=2), bn=BatchNorm()),
    "transposed in groups": chain(conv=ConvTranspose(6, 3, stride=2, groups=2), bn=BatchNorm()),
    "dense": chain(flatten=Flatten(), dense=Dense(5), bn=BatchNorm()),
    "dense over channels": chain(dense=Dense(5), bn=BatchNorm()),
    "twice": chain(conv=Conv(5), bn1=BatchNorm(), bn2=BatchNorm()),
    "a dropout between": chain(conv=Conv(5), drop=Dropout(0.5), none=chain(), bn=BatchNorm()),
    "chains in chains": chain(a=chain(conv=Conv(5)), b=chain(bn=BatchNorm(), relu=Activation("relu"))),
    "in branches": residual(chain(conv=Conv(5), bn=BatchNorm()), chain(conv=Conv(5), bn=BatchNorm())),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_folded(kind):
    folded, params, state, before, after = both(KINDS[kind], (6, 6, 4))
    assert norms(folded) == 0 and state == {}
    assert not any("scale" in str(path) for path, _ in jax.tree.leaves_with_path(params))
    np.testing.assert_allclose(after, before, rtol=0, atol=2e-6 * np.abs(before).max())


STAYS = {
    "first": chain(bn=BatchNorm(), conv=Conv(4)),
    "after pooling": chain(conv=Conv(4), pool=MaxPool(2), bn=BatchNorm()),
    "after an activation": chain(conv=Conv(4), relu=Activation("relu"), bn=BatchNorm()),
    "first in a branch": chain(conv=Conv(4), branch=concat(a=chain(), b=chain(bn=BatchNorm()))),
    "after branches": chain(branches=residual(Conv(4)), bn=BatchNorm()),
    "after a kernel that is made": chain(conv=WeightStandardizedConv(4), bn=BatchNorm()),
    "no batch norm": chain(conv=Conv(4), ln=LayerNorm()),
}


@pytest.mark.parametrize("kind", STAYS)
def test_what_stays(kind):
    network = STAYS[kind]
    params, state = random_weights(network, (6, 6, 4))
    assert fold_batch_norm(network, params, state) == (network, params, state)


def test_under_jit_with_half_precision_and_what_users_forbid_themselves():
    network = chain(conv=Conv(4), bn=BatchNorm())
    params, state = jax.tree.map(jnp.asarray, random_weights(network, (6, 6, 4)))
    half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), params)
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        made = jax.jit(lambda *trees: fold_batch_norm(network, *trees)[1])(half, state)
    assert {a.dtype for a in jax.tree.leaves(made)} == {jnp.dtype(jnp.bfloat16)}
    wide = fold_batch_norm(network, params, state)[1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(np.float32(a), b, rtol=0.02, atol=0.02), made, wide)
