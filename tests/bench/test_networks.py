"""Contests of whole networks: who takes part, what the work is, and that ours agree with each other."""

import sys
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import pytest

from jaxcnn import models
from jaxcnn.bench.networks import FALL, FOLDED, Problem, inference, problem, training
from jaxcnn.bench.peers import PACKAGES, PEERS, installed
from jaxcnn.bench.peers.network import Untranslatable, node
from jaxcnn.layers import BatchNorm, Conv, Dense, Dropout, Flatten, Layer, MaxPool, chain, summary
from jaxcnn.layers.walk import leaves

SMALL = Problem("small", chain(conv=Conv(4), bn=BatchNorm(), flatten=Flatten(), head=Dense(3)), (6, 2), 5)


@pytest.mark.parametrize("contest", [training, lambda *args: inference(SMALL, 2, *args[1:])])
def test_our_ways_agree_and_bfloat16_within_its_rounding(contest):
    rows = contest(SMALL, ["float32", "bfloat16"], []).hold(1, {})
    assert {(row.by, row.precision) for row in rows} >= {
        (by, precision) for by in ("jaxcnn", "jax.grad of the same") for precision in ("float32", "bfloat16")
    }
    assert not any(row.refused for row in rows)
    for row in rows:
        low, high = (0, 1e-5) if row.precision == "float32" else (1e-5, 3e-2)
        assert low <= row.difference < high, row


@jax.custom_vjp
def misled(x, factor):
    return x


misled.defvjp(lambda x, factor: (x, factor), lambda factor, dy: (factor * dy, None))


@dataclass(frozen=True)
class Misled(Layer):
    """The identity, whose gradient is `factor` of what it should be."""

    factor: float

    def apply(self, params, state, x, *, train=False, key=None):
        return misled(x, self.factor), state


@pytest.mark.parametrize("name", ["small", "lenet5", "resnet20"])
@pytest.mark.parametrize("factor", [1.0, 0.9, 0.0])
def test_who_has_a_wrong_gradient_gets_no_time(name, factor):
    """Wrong below the last layer of all: only by a tenth, or not there."""

    def task(factor):
        right = SMALL if name == "small" else problem(name, batch_size=4, image_size=16)
        *body, (_, head) = right.network.parts
        return replace(right, network=chain(**dict(body), misled=Misled(factor), last=head))

    right, wrong = task(1.0), task(factor)
    vars(wrong)["sgd"] = right.sgd
    ours, *_ = training(right, ["float32"], []).entrants
    entrants = (ours, replace(training(wrong, ["float32"], []).entrants[0], by="other"))
    _, row = replace(training(right, ["float32"], []), entrants=entrants).hold(1, {})
    assert row.refused.startswith("not the same work") == (factor != 1.0), row


@pytest.mark.parametrize("task", [SMALL, problem("lenet5", batch_size=4, image_size=16)], ids=lambda task: task.name)
def test_the_first_step_lowers_the_loss_by_the_same_share_whatever_the_network(task):
    ours = training(task, ["float32"], []).entrants[0].prepare()
    first, second = (float(ours.runs["step"].call()) for _ in range(2))
    assert 0.6 * FALL < 1 - second / first < 1.1 * FALL


def test_a_network_with_batch_norms_answers_with_them_folded_too():
    assert [e.by for e in inference(SMALL, 2, ["float32"], []).entrants][-1] == FOLDED
    plain = Problem("plain", chain(flatten=Flatten(), head=Dense(3)), (6, 2), 5)
    for contest in (inference(plain, 2, ["float32"], []), training(SMALL, ["float32"], [])):
        assert FOLDED not in [entrant.by for entrant in contest.entrants]


def test_every_peer_takes_part_in_every_precision():
    entrants = training(SMALL, ["float32", "bfloat16"], [p.package for p in PEERS]).entrants
    for precision in ("float32", "bfloat16"):
        assert [e.by for e in entrants if e.precision == precision][-len(PEERS) :] == [p.name for p in PEERS]


def test_a_peer_that_can_not_be_imported_has_no_time_and_a_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "flax", None)
    monkeypatch.delitem(sys.modules, "jaxcnn.bench.peers.flax", raising=False)
    *_, row = inference(SMALL, 1, ["float32"], ["flax"]).hold(1, {})
    assert row.by == "Flax NNX" and not row.timings
    assert row.refused.startswith("ModuleNotFoundError")


def test_training_is_three_times_the_forward_but_for_the_images_gradient():
    forward = 2 * summary(SMALL.network, (6, 6, 2)).multiply_adds
    first = 2 * 6 * 6 * 4 * 9 * 2
    assert SMALL.work(10, train=False) == 10 * forward
    assert SMALL.work(10, train=True) == 10 * (3 * forward - first)


@pytest.mark.parametrize(
    ("name", "image", "batch"),
    [
        ("lenet5", (28, 1), 128),
        ("cifar_small", (32, 3), 128),
        ("resnet20", (32, 3), 128),
        ("resnet18", (224, 3), 16),
        ("vgg11", (224, 3), 16),
        ("efficientnet_b1", (240, 3), 16),
        ("conv_blocks", (224, 3), 16),
    ],
)
def test_networks_get_the_images_that_they_were_made_for(name, image, batch):
    made = problem(name)
    assert (made.image, made.batch_size) == (image, batch)
    assert problem(name, batch_size=3, image_size=64).image == (64, image[1])
    assert problem(name, batch_size=3).batch_size == 3


def test_what_draws_is_left_out_and_nothing_else():
    assert problem("resnet18").network == models.create("resnet18")
    for name in ("mobilenet_v2", "convnext_tiny"):
        made, published = ([*leaves(network)] for network in (problem(name).network, models.create(name)))
        assert made == [(path, layer) for path, layer in published if not isinstance(layer, Dropout)] != published


def test_the_tree_of_a_network_knows_where_windows_lie():
    layer = chain(a=Conv(4, 3, stride=2), b=MaxPool(3, stride=1, padding=((1, 0), (0, 1))))
    task = Problem("n", layer, (8, 3), 1)
    a, b = task.tree(5).parts
    assert (a.path, a.x.shape, a.window, a.stride, a.padding, a.is_same) == (
        "a", (5, 8, 8, 3), (3, 3), (2, 2), ((0, 1), (0, 1)), True
    )  # fmt: skip
    assert (b.x.shape, b.stride, b.padding, b.is_same) == ((5, 4, 4, 4), (1, 1), ((1, 0), (0, 1)), False)
    assert a.weight("kernel").shape == (3, 3, 3, 4)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_layer_without_an_equal_is_refused_by_name(package):
    if not installed(package):
        pytest.skip(f"{package} is not installed")
    peer = next(p for p in PEERS if p.package == package)
    task = Problem("n", chain(flatten=Flatten(), drop=Dropout(0.5), head=Dense(2)), (4, 1), 2)
    with pytest.raises(Untranslatable, match=r"drop is Dropout\(rate=0.5\): no (module|layer) of"):
        network = peer.network(task.tree(2), "float32")
        network.training(task.images(2), task.labels, None)


def test_one_dimensional_windows_are_not_translated():
    tree = node(Conv(2), {}, {}, jax.ShapeDtypeStruct((1, 8, 3), jnp.float32), "conv")
    with pytest.raises(Untranslatable, match=r"conv is Conv.*only images"):
        tree.padding  # noqa: B018
