"""What a network computes on the way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import models, ops
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, GlobalAvgPool, chain, features, intermediates, residual

NET = chain(
    conv=Conv(4),
    block=residual(chain(bn=BatchNorm(), relu=Activation("relu"))),
    pool=GlobalAvgPool(),
    head=Dense(3),
)
X = jax.random.normal(jax.random.key(1), (2, 5, 5, 3))
PARAMS, STATE = NET.init(jax.random.key(0), X)


def test_features_are_all_but_the_head():
    known = features(NET)(PARAMS, STATE, X)
    assert known.shape == (2, 4)
    np.testing.assert_array_equal(ops.dense(known, **PARAMS["head"]), NET(PARAMS, STATE, X))


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "densenet121", "mobilenet_v3_small", "efficientnet_b0"])
def test_features_of_the_zoo_are_vectors(name):
    net = features(models.create(name))
    x = jax.ShapeDtypeStruct((2, 224, 224, 3), jnp.float32)
    y = jax.eval_shape(lambda x: net(*net.init(jax.random.key(0), x), x), x)
    assert len(y.shape) == 2


def test_features_without_a_head_are_refused():
    with pytest.raises(ValueError, match="no layer called 'head' to cut off; its layers are conv, relu"):
        features(chain(conv=Conv(2), relu=Activation("relu")))
    with pytest.raises(ValueError, match=r"it is Conv\(features=2\)"):
        features(Conv(2))


@pytest.mark.parametrize("transformed", [lambda f: f, jax.jit])
def test_intermediates_are_the_outputs_of_layers_and_of_blocks(transformed):
    paths = ["pool", "conv", "block/body/relu", "block"]
    found = transformed(lambda p, s, x: intermediates(NET, p, s, x, paths))(PARAMS, STATE, X)
    conv = ops.conv(X, **PARAMS["conv"], padding="SAME")
    relu = jax.nn.relu(conv / jnp.sqrt(1 + 1e-5))
    expected = {"conv": conv, "block/body/relu": relu, "block": conv + relu, "pool": (conv + relu).mean((1, 2))}
    assert found.keys() == expected.keys()
    for path, y in expected.items():
        np.testing.assert_allclose(found[path], y, rtol=1e-5, atol=1e-6)


def test_every_path_of_the_summary_can_be_asked_for():
    rows = jaxcnn.summary(NET, (5, 5, 3)).rows
    found = intermediates(NET, PARAMS, STATE, X, [row.path for row in rows])
    assert [y.shape[1:] for y in found.values()] == [row.shape for row in rows]


def test_an_unknown_path_is_refused_with_the_nearest():
    with pytest.raises(TypeError, match=r"intermediates: paths is 'conv'; expected a list, such as \['conv'\]\."):
        intermediates(NET, PARAMS, STATE, X, "conv")
    with pytest.raises(ValueError, match=r"is 'block/body/rel', which .* Did you mean 'block/body/relu'\?"):
        intermediates(NET, PARAMS, STATE, X, ["block/body/rel"])
