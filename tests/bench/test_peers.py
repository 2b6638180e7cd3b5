"""Other frameworks' networks, built from ours: they compute the same, or are refused."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxcnn.bench import networks, peers
from jaxcnn.bench.networks import Problem, inference, training
from jaxcnn.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerNorm,
    LayerScale,
    MaxPool,
    chain,
    concat,
    gated,
    residual,
    squeeze_excite,
)
from jaxcnn.layers.walk import leaves

PEERS = {p.name: p for p in peers.PEERS if not p.options and peers.installed(p.package)}  # compiling takes long
needs_peers = pytest.mark.skipif(not PEERS, reason="no peer is installed")
RELU = Activation("relu")

NETWORKS = {
    "strides and paddings": chain(
        a=Conv(4, 3, stride=2),  # SAME: 0 and 1 on an even image
        b=BatchNorm(epsilon=1e-3),
        c=RELU,
        d=Conv(6, (2, 3), padding=((1, 2), (0, 3))),
        e=Conv(6, 3, padding=1, stride=2, groups=2),
        f=Conv(6, 3, dilation=2, use_bias=False),
        g=Flatten(),
        h=Dense(5, use_bias=False),
    ),
    "pooling": chain(
        a=Conv(4, 5),
        b=MaxPool(3, stride=2, padding=1),
        c=Conv(4, 1),
        d=MaxPool(2, stride=1, padding=((0, 1), (1, 0))),
        e=MaxPool(3, stride=2, padding="SAME"),
        f=AvgPool(2, stride=1),
        g=Conv(5),
        h=GlobalMaxPool(),
    ),
    "branches and activations": chain(
        a=concat(left=Conv(3), right=chain(x=Conv(2, 1), y=Activation("gelu"))),
        b=residual(chain(x=Conv(5), y=Activation("tanh"), z=BatchNorm(momentum=0.7))),
        c=residual(Conv(4, 1), chain(x=Conv(4, 3), y=Activation("silu"))),
        d=GlobalAvgPool(),
        e=Dense(7),
        f=BatchNorm(),
        g=Activation("sigmoid"),
        h=Dense(5),
    ),
    "mobile and convnext blocks": chain(
        a=DepthwiseConv(5, stride=2, multiplier=4, use_bias=False),
        b=BatchNorm(),
        c=Activation("relu6"),
        d=squeeze_excite(12, 4, activation="silu", gate="hard_sigmoid"),
        e=Activation("hard_swish"),
        f=residual(chain(x=DepthwiseConv(7, padding=3), y=LayerNorm(1e-3), z=Conv(12, 1), scale=LayerScale(0.7))),
        g=gated(chain(x=Conv(12, 1), y=Activation("sigmoid")), body=Conv(12, 1)),
        h=GlobalAvgPool(),
        i=LayerNorm(),
        j=LayerScale(2.0),
        k=Dense(5),
    ),
}


def problem(name):
    return Problem(name, NETWORKS[name], (12, 3), 8)


def rows(contest, names):
    """Of these peers and ours, without timing anything to speak of."""
    entrants = tuple(e for e in contest.entrants if e.by in ("jaxcnn", *names))
    return {row.by: row for row in dataclasses.replace(contest, entrants=entrants).hold(1, {})}


def packages():
    return [p.package for p in PEERS.values()]


def test_every_layer_of_the_networks_that_are_timed_is_in_one_of_these():
    def kinds(nets):
        return {layer if isinstance(layer, Activation) else type(layer) for net in nets for _, layer in leaves(net)}

    timed = kinds(networks.problem(name).network for name in networks.NETWORKS)
    assert {DepthwiseConv, LayerNorm, Activation("relu6")} <= timed <= kinds(NETWORKS.values())


@needs_peers
@pytest.mark.parametrize("name", NETWORKS)
def test_training_takes_the_same_losses(name):
    found = rows(training(problem(name), ["float32"], packages()), PEERS)
    for peer in PEERS:
        assert not found[peer].refused, peer
        assert found[peer].difference < 1e-4, peer
        assert found[peer].timings["step"].samples == 1


@needs_peers
@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_the_same_with_running_statistics_of_any_kind(name):
    task = problem(name)
    rng = np.random.default_rng(0)
    vars(task)["weights"] = jax.tree.map(lambda a: a + rng.uniform(0.1, 0.5, a.shape), task.weights)
    found = rows(inference(task, 2, ["float32"], packages()), PEERS)
    for peer in PEERS:
        assert not found[peer].refused, peer
        assert found[peer].difference < 1e-4, peer
        assert set(found[peer].timings) == {"answer"}


@pytest.mark.skipif("PyTorch" not in PEERS, reason="PyTorch is not installed")
def test_compiled_pytorch_computes_the_same_and_is_compiled_however_many_came_before():
    import torch

    graphs, before = torch._dynamo.utils.counters["stats"], torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for width in range(10):  # PyTorch's own limit is 8
        layer = chain(conv=Conv(1 + width, 1), pool=GlobalMaxPool(), head=Dense(2))
        contest = inference(Problem("net", layer, (4, 1), 1), 1 + width % 2, ["float32"], ["torch"])
        assert not rows(contest, ["PyTorch compiled"])["PyTorch compiled"].refused
    assert graphs["unique_graphs"] - before == 10


@pytest.mark.skipif("PyTorch" not in PEERS, reason="PyTorch is not installed")
@pytest.mark.parametrize("precision", ["float32", "tensorfloat32"])
def test_on_a_gpu_pytorch_multiplies_as_asked_by_the_fastest_of_its_algorithms(precision):
    import torch

    from jaxcnn.bench.peers.torch import within

    def flags():
        cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
        return cuda.matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark

    before = flags()
    with within(precision)():
        assert flags() == (precision == "tensorfloat32", precision == "tensorfloat32", True)
    assert flags() == before
