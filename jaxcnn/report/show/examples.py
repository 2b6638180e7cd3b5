"""What each operation is shown on: arrays that are small, and numbers that one can follow by head.

No entry is 0 without a reason, since nothing comes back through a factor of 0; and where an operation has a kink or a
tie, the example has it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxcnn.verify.catalog.draw import Draw


@dataclass(frozen=True)
class Line:
    """A range of the first argument along which a curve is drawn; every other argument is one number."""

    low: float
    high: float
    others: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Example:
    """A call of a door, a line to draw a curve along, or both; and in a sentence or two what to look at.

    `outputs` are the names of what comes out, as the derivation has them.
    """

    look: str
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    line: Line | None = None
    outputs: tuple[str, ...] = ("y",)


def example(name: str) -> Example:
    """The table's, or for an operation that it lacks the simplest of the verifier's draws with 4 numbers or more."""
    if name in EXAMPLES:
        return EXAMPLES[name]
    from hypothesis import find, settings

    from jaxcnn.verify.catalog.spaces import SPACES

    def large_enough(draw: Draw) -> bool:
        arrays = [a for a in draw.args if a is not None]
        return max(a.ndim for a in arrays) <= 4 and any(a.dtype == np.float64 and a.size >= 4 for a in arrays)

    draw = find(SPACES[name], large_enough, settings=settings(database=None, deadline=None, derandomize=True))
    return Example("", draw.args, draw.options)


def _array(*values: Any) -> Any:
    return np.array(values, np.float64)


def _image(*channels: Any) -> Any:
    """(1, h, w, c) of c tables of numbers."""
    return np.stack([np.array(channel, np.float64) for channel in channels], -1)[None]


def _kernel(*rows: Any) -> Any:
    """(h, w, 1, 1)."""
    return np.array(rows, np.float64)[..., None, None]


def _key() -> Any:
    import jax

    return jax.random.PRNGKey(9)


_SQUARE = _image([[1, 2, 1, 3], [4, 9, 2, 5], [3, 6, 6, 1], [2, 1, 4, 8]])
_WIDE = _image([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3], [5, 8, 9, 7, 9]])
_PHOTO = _image([[2, 1, 3, 1, 2], [1, 4, 1, 2, 1], [3, 1, 5, 1, 3], [1, 2, 1, 4, 1], [2, 1, 3, 1, 2]])
_TAPS = _kernel([1, 2, 1], [-1, 3, -2], [2, -1, 1])
_GRADIENT = _image([[1, -2, 1], [2, 1, -1], [1, 3, 2]])
_ROWS = _array([1, 2, 6], [4, -1, 3])
_BATCH = _array([1, 2], [3, 8], [5, 4], [7, -2])
_SCORES = _array([2, -1, 0.5], [0, 1, 3])
_LABELS = np.array([0, 1], np.int32)
_CURVE = Line(-5, 5)

CONV = {
    "conv": Example(
        "Each y is the sum of a window of x times the kernel; at a corner of x one window looks, in the middle nine. "
        "Go through x and watch the kernel's taps turn up in reverse: that is the rotation by 180°.",
        (_PHOTO, _TAPS, _array(1)),
        {"padding": "VALID"},
    ),
    "conv_dgrad": Example(
        "What convolution hands back to x, as an operation of its own: each dy lays a copy of the kernel over the "
        "image. Its backward is the convolution.",
        (_GRADIENT, _TAPS),
        {"sizes": 5, "padding": "VALID"},
        outputs=("dx",),
    ),
    "conv_wgrad": Example(
        "What convolution hands back to the kernel: each tap is a sum over all places, so every dy reaches every tap.",
        (_PHOTO, _GRADIENT),
        {"window": 3, "padding": "VALID"},
        outputs=("dkernel",),
    ),
    "conv_transpose": Example(
        "Each x lays a copy of the kernel over y, two steps further than its neighbour's; where copies overlap they "
        "are added. Backward each x gathers what lies under its copy: a convolution.",
        (_image([[1, 2], [3, -1]]), _TAPS, _array(1)),
        {"stride": 2, "padding": "VALID"},
    ),
    "unfold": Example(
        "A row of y is a window of x. The middle entry stands in all four, and gets the sum of what comes back to "
        "them.",
        (_image([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), 2),
    ),
    "fold": Example(
        "The transpose of unfold: an entry of y is the sum of all taps that lie on it, and each tap gets all of its "
        "dy.",
        (_array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 1, 2, 3], [4, 5, 6, 7]]), (3, 3), 2),
    ),
    "pad": Example(
        "The border shows the entries beyond the edge, mirrored. What was copied out is folded back: an entry that is "
        "shown several times gets the sum of their dy.",
        (_image([[1, 2, 3], [4, 5, 6]]), ((1, 1), (1, 2))),
        {"mode": "reflect"},
    ),
}

POOL = {
    "max_pool": Example(
        "The whole of dy goes to the entry that won its window. The 9 wins four windows, and gets all four dy; in the "
        "window of two 6 it is the first that wins.",
        (_SQUARE, 2),
        {"stride": 1},
    ),
    "avg_pool": Example(
        "Each window shares its dy evenly among its entries. At the border a window has fewer of them, 4 or 6 of 9, "
        "and each gets more.",
        (_SQUARE, 3),
        {"stride": 2, "padding": 1},
    ),
    "lp_pool": Example(
        "Between sum and maximum: the larger an entry in its window, the larger its share, 3/5 and 4/5 where the norm "
        "of 3 and 4 is 5. In a window of zeros there is no derivative; it gets 0.",
        (_image([[0, 0, 3, 4], [0, 0, 0, 0], [1, 2, 6, 2], [2, 4, 3, 0]]), 2, 2),
    ),
    "adaptive_avg_pool": Example(
        "Bins of nearly one size, whatever the image's: neighbours may share a row or a column, which then gets from "
        "both.",
        (_WIDE, (2, 3)),
    ),
    "adaptive_max_pool": Example(
        "As max pooling, in bins that may overlap: the 9 at the left wins two, and gets both dy. The lower bin in the "
        "middle has two 9, of which the first in row-major order wins.",
        (_image([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3], [5, 8, 9, 9, 7]]), (2, 3)),
    ),
    "global_avg_pool": Example(
        "A channel's dy is shared by all of its places alike.",
        (_image([[1, 2, 3], [4, 5, 6]], [[2, 0, 2], [8, 4, 2]]),),
    ),
    "global_max_pool": Example(
        "All of a channel's dy goes to its largest entry; the second channel has two that are equal, and the first of "
        "them wins.",
        (_image([[1, 2, 3], [4, 6, 5]], [[2, 8, 2], [8, 4, 2]]),),
    ),
    "max_unpool": Example(
        "Each x is written to the place that its index names. Two have the index 5: the later one stands there and "
        "gets the dy, and the one that was written over gets nothing.",
        (_image([[6, 8], [3, 4]]), np.array([[[5, 2], [5, 15]]], np.int32)[..., None], (4, 4)),
    ),
}

RESIZE = {
    "resize_nearest": Example(
        "Every y is a copy of one x; what was copied several times gets the sum.",
        (_image([[1, 2, 3], [4, 5, 6]]), (4, 5)),
    ),
    "resize_bilinear": Example(
        "An output lies between four pixels, and each counts the more the nearer it is: 9/16, 3/16, 3/16 and 1/16. At "
        "the border several of them are the same pixel.",
        (_image([[1, 2], [3, 8]]), (4, 4)),
    ),
    "resize_bicubic": Example(
        "Cubic curves through four neighbours along each axis: those further away count a little below 0.",
        (_image([[1, 2, 3, 4], [2, 4, 6, 8], [1, 3, 5, 7], [4, 3, 2, 1]]), (2, 2)),
    ),
    "pixel_shuffle": Example(
        "Four channels of a pixel become a block of 2 × 2 pixels. Nothing is computed: dy is put back where x stood.",
        (_image([[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]], [[13, 14], [15, 16]]), 2),
    ),
    "pixel_unshuffle": Example(
        "The inverse of pixel_shuffle: every second pixel of every second row becomes a channel.",
        (_image([[1, 5, 2, 6], [9, 13, 10, 14], [3, 7, 4, 8], [11, 15, 12, 16]]), 2),
    ),
    "grid_sample": Example(
        "Each output reads x at a place of its own. dy goes to the four pixels around it by their weights, and to the "
        "place by how y would change if it moved. The last place lies on the image's edge: half of what it reads there"
        " are zeros.",
        (_image([[1, 2, 4], [3, 5, 6], [7, 9, 8]]), _array([[[-0.5, -0.5], [0.25, -0.5]], [[0, 0.5], [1, 0.75]]])),
    ),
    "affine_grid": Example(
        "Every place (x, y) is the matrix times the output's own place, so theta serves all places and gets a sum over"
        " them.",
        (_array([[1, 0.5, 0.25], [-0.5, 1, 0]]), (2, 3)),
        outputs=("g",),
    ),
}

DENSE = {
    "dense": Example(
        "Each y is a row of x times a column of the kernel. A row of x reaches only its own example; the kernel serves"
        " all examples, and gets a sum over them.",
        (_ROWS, _array([1, -1], [2, 3], [-2, 1]), _array(1, -1)),
    ),
    "flatten": Example(
        "The entries in one row, channels running fastest; nothing is computed.",
        (_image([[1, 2], [3, 4]], [[5, 6], [7, 8]]),),
    ),
    "bilinear": Example(
        "Each y is a sum over all pairs of an entry of x1 and one of x2, so each entry's derivative is made of the "
        "other's.",
        (
            _array([1, 2]),
            _array([3, -1, 2]),
            _array([[1, 2], [-1, 1], [2, -2]], [[3, -1], [1, 2], [-2, 1]]),
            _array(1, -1),
        ),
    ),
}

DROPOUT = {
    "dropout": Example(
        "An entry that was dropped gets nothing back, the others twice their dy: the mask of the forward, once more.",
        (_array([1, 2, 3, 4], [5, 6, 7, 8]), _key()),
        {"rate": 0.5},
    ),
    "spatial_dropout": Example(
        "Whole channels are dropped, and get nothing back.",
        (_image([[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 1], [2, 3]], [[4, 5], [6, 7]]), _key()),
        {"rate": 0.5},
    ),
    "stochastic_depth": Example(
        "Whole examples, here rows, are dropped, and get nothing back.",
        (_array([1, 2, 3], [4, 5, 6], [7, 8, 9], [2, 4, 6]), _key()),
        {"rate": 0.5},
    ),
}

NORM = {
    "batch_norm": Example(
        "A column is a channel. Every x of a channel moves its mean and variance, and so every y of it: the entries "
        "that do not stand at the same place are reached through these two alone. Mean and variance come out as well, "
        "and have cotangents of their own.",
        (_BATCH, _array(2, 1), _array(1, 0)),
        outputs=("y", "mean", "var"),
    ),
    "batch_norm_eval": Example(
        "The statistics are given, so each y has one x: beside batch_norm this is what its two other paths add.",
        (_BATCH, _array(2, 1), _array(2, 1), _array(4, 3), _array(4, 9)),
    ),
    "group_norm": Example(
        "A row is an example, two neighbouring channels a group: nothing crosses from one example or group to another.",
        (_array([1, 3, 2, 8], [5, 1, -2, 4]), _array(1, 2, 1, -1), _array(0, 0, 1, 1)),
        {"groups": 2, "epsilon": 1.0},
    ),
    "instance_norm": Example(
        "Each channel of each example by itself, over its places.",
        (_image([[1, 3], [5, 7]], [[2, 8], [4, -2]]), _array(2, 1), _array(1, 0)),
    ),
    "layer_norm": Example(
        "Each row by itself. Shares of dy in a row sum to 0: to add a number to the whole row would change nothing.",
        (_ROWS, _array(1, 2, 1), _array(0, 1, 0)),
    ),
    "rms_norm": Example(
        "Layer norm without the mean: the row is divided by the root of its mean square.",
        (_array([1, 2, 2], [4, -1, 3]), _array(1, 2, 1)),
    ),
    "local_response_norm": Example(
        "One pixel with five channels, each divided by what it and its two neighbours hold: a neighbour's share is "
        "negative, since a larger one makes y smaller.",
        (_array([[1, 2, 3, 2, 1]]), 3),
        {"alpha": 1.0},
    ),
    "weight_standardize": Example(
        "A column is all that an output sums over. Shares in a column sum to 0.",
        (_array([1, 2], [3, 8], [5, 4]), _array(1, 2)),
    ),
}

ACTIVATION = {
    "relu": Example("A unit that is off learns nothing, and at 0 it is off.", line=_CURVE),
    "relu6": Example("Off below 0 and full from 6 on; at both kinks the slope is 0.", line=Line(-3, 9)),
    "leaky_relu": Example("A small slope below 0, drawn here with 0.2.", options={"slope": 0.2}, line=_CURVE),
    "prelu": Example(
        "A leaky_relu whose slope is learned: below 0 an entry gets slope dy, and hands x dy to the slope. One slope "
        "serves a column here.",
        (_array([1, -2, 3], [-4, -1, 2]), _array(0.5, 0.25, -1)),
        line=Line(-5, 5, (0.25,)),
    ),
    "elu": Example(
        "Smooth at 0 for alpha = 1 alone; drawn with 1/2, where the slope jumps.", options={"alpha": 0.5}, line=_CURVE
    ),
    "celu": Example("An elu that is smooth at 0 for every alpha, here 1/2.", options={"alpha": 0.5}, line=_CURVE),
    "selu": Example("An elu, scaled so that it keeps mean 0 and variance 1.", line=_CURVE),
    "gelu": Example("It falls a little before it rises, so its slope is below 0 there.", line=_CURVE),
    "silu": Example("Near gelu: x times a sigmoid.", line=_CURVE),
    "mish": Example("Near silu, with a softer turn.", line=_CURVE),
    "hard_swish": Example("silu in pieces: a parabola between two straight lines.", line=_CURVE),
    "hard_sigmoid": Example("A sigmoid in pieces.", line=_CURVE),
    "sigmoid": Example("Its slope is 1/4 at most: through many of them a gradient vanishes.", line=Line(-6, 6)),
    "tanh": Example("Its slope is 1 at 0 and soon nothing.", line=_CURVE),
    "softplus": Example("A relu without a kink; its slope is the sigmoid.", line=_CURVE),
    "softsign": Example("As tanh, but it nears 1 slowly, so that its slope stays above 0 for longer.", line=_CURVE),
    "glu": Example(
        "The right half of x is the gate of the left: both factors of a product get the other, the gate times its "
        "slope.",
        (_array([1, 2, 0, 1], [-1, 3, 2, -2]),),
    ),
    "softmax": Example(
        "Each y depends on all x of its row: it rises with its own and falls with the others, and the shares sum to 0.",
        (_array([1, 2, 0], [3, 1, 1]),),
    ),
    "log_softmax": Example(
        "As softmax, but each dy goes to its own x whole; what the others are charged is their probability.",
        (_array([1, 2, 0], [3, 1, 1]),),
    ),
}

LOSS = {
    "softmax_cross_entropy": Example(
        "With a hard label, dlogits is what the probabilities lack: p - 1 for the label and p for the others. A row "
        "sums to 0.",
        (_SCORES, _LABELS),
        outputs=("loss",),
    ),
    "nll": Example(
        "Only the label's log-probability counts, so it alone gets anything: minus dloss.",
        (_array([-0.5, -1.5, -1.75], [-2, -0.25, -2.5]), _LABELS),
        outputs=("loss",),
    ),
    "sigmoid_cross_entropy": Example(
        "The curve is that of the label 1. For a logit the gradient is σ - t over the number of entries; the labels, "
        "being floats here, have one as well.",
        (_SCORES, _array([1, 0, 1], [0, 1, 1])),
        line=Line(-5, 5, (1.0,)),
        outputs=("loss",),
    ),
    "focal": Example(
        "The curve is that of the label 1: beside sigmoid_cross_entropy, what is classified well has nearly no slope.",
        (_SCORES, _array([1, 0, 1], [0, 1, 1])),
        line=Line(-5, 5, (1.0,)),
        outputs=("loss",),
    ),
    "kl_divergence": Example(
        "log_p gets minus the target. The target's entry that is 0 adds nothing, and gets nothing.",
        (_array([-0.5, -1.5, -1.75], [-2, -0.25, -2.5]), _array([0.5, 0.25, 0.25], [0.25, 0.75, 0])),
        outputs=("loss",),
    ),
    "hinge": Example(
        "Who keeps the margin gets nothing; also who keeps it just so, as the score of 1 with the label 1 does.",
        (_array([2, -1, 1], [0.5, 1, -3]), _array([1, -1, 1], [1, -1, -1])),
        line=Line(-3, 3, (1.0,)),
        outputs=("loss",),
    ),
    "multi_margin": Example(
        "Each class that comes too near to the label's score is pushed down, and the label's is pulled up by all of "
        "them together. In the last row all keep the margin, one of them just so.",
        (_array([2, 1.5, 0], [1, 1, 3], [3, 2, -1]), np.array([0, 1, 0], np.int32)),
        outputs=("loss",),
    ),
    "mse": Example(
        "The further off, the harder the pull.",
        (_array([1, 2, 3], [4, 0, -1]), _array([1, 4, 2], [1, 0, 1])),
        line=Line(-3, 3, (0.0,)),
        outputs=("loss",),
    ),
    "l1": Example(
        "The same pull however far off; and none at 0, which entries that are predicted exactly have.",
        (_array([1, 2, 3], [4, 0, -1]), _array([1, 4, 2], [1, 0, 1])),
        line=Line(-3, 3, (0.0,)),
        outputs=("loss",),
    ),
    "huber": Example(
        "mse near 0, l1 beyond delta: the slope is the difference, held between -delta and delta.",
        (_array([1, 2, 3], [4, 0, -1]), _array([1, 4, 2.5], [1, 0, -0.75])),
        line=Line(-3, 3, (0.0,)),
        outputs=("loss",),
    ),
    "triplet": Example(
        "Anchor and positive are drawn together, the negative is pushed away, each along the line between two points. "
        "The second row keeps the margin, and gets nothing.",
        (_array([1, 1], [0, 0]), _array([4, 5], [1, 0]), _array([1, 3], [6, 8])),
        outputs=("loss",),
    ),
}

EXAMPLES: dict[str, Example] = CONV | POOL | RESIZE | DENSE | DROPOUT | NORM | ACTIVATION | LOSS
