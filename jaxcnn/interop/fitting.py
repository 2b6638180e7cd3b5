"""Which network of ours a file of weights fits."""

import re
from collections import Counter
from contextlib import suppress

import jax
import jax.numpy as jnp

from jaxcnn import models
from jaxcnn.interop.load import Arrays, load
from jaxcnn.interop.tables import tables_for
from jaxcnn.layers import Layer, Params, State

BUFFERS = r".*[./](running_mean|running_var|num_batches_tracked|moving_mean|moving_variance)"
HEAD = r"head(/.*)?"
TRIED = 6  # of the networks whose number of parameters is nearest
LEAST = 0.5  # of the arrays


def shapes(
    name: str, classes: int | None = None, image_shape: tuple[int, ...] | None = None
) -> tuple[Layer, Params, State]:
    """The network and its arrays for such images, of which there are only the shapes."""
    network = models.create(name, classes)
    example = jax.ShapeDtypeStruct((1, *(image_shape or models.ABOUT[name].image_shape)), jnp.float32)
    return network, *jax.eval_shape(lambda: network.init(jax.random.key(0), example))


def fitting(arrays: Arrays) -> str | None:
    """A sentence on the networks whose weights these are, whatever the head, or whose shapes are nearest to theirs."""
    trained = {key: a for key, a in arrays.items() if not re.fullmatch(BUFFERS, key)}
    count = sum(a.size for a in trained.values())
    names = sorted(models.ABOUT, key=lambda name: abs(models.ABOUT[name].parameters - count))[:TRIED]
    these = []
    for name in names:
        with suppress(ValueError):  # no network that others have, or of other names
            load(*shapes(name), arrays, tables_for(name, arrays), without=HEAD)
            these.append(name)
    if these:
        return f"They are those of {' or '.join(these)}."
    share, nearest = max((_alike(trained, name), name) for name in names)
    return f"By the shapes of its arrays {nearest} is nearest ({share:.0%} of them)." if share >= LEAST else None


def _alike(arrays: Arrays, name: str) -> float:
    """The share of the arrays that are alike, whatever the order of their axes and without those of 1."""
    _, params, _ = shapes(name)
    ours, theirs = (
        Counter(tuple(sorted(size for size in a.shape if size > 1)) for a in group)
        for group in (jax.tree.leaves(params), arrays.values())
    )
    return (ours & theirs).total() / max(ours.total(), theirs.total())
