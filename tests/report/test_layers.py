"""δ and gradients by layer: where they shrink, in words and in colours."""

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from jaxcnn.report.page.layers import MOST_MOMENTS, along, layers, norms

PATHS = ["conv1", "conv2", "pool", "head"]


def record(step, delta, gradient):
    named = {"conv1": gradient[0], "conv2": gradient[1], "head": gradient[2]}
    return {"step": step, "images": 8, "delta": dict(zip(PATHS, delta, strict=True)), "gradient": named}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            [1e-4, 0.05, 0.1, 1.0],
            "δ shrinks by a factor of 10,000 from the last layer, head, to the first, conv1, most of all from conv2 to "
            "conv1 (500)",
        ),
        (
            [2.0, 0.1, 0.1, 0.1],
            "δ grows by a factor of 20 from the last layer, head, to the first, conv1, most of all from",
        ),
        ([0.5, 1.0, 2.0, 0.25], "δ is of a like size at all layers, from 0.25 to 2"),
        (
            [0.5, 0.001, 2.0, 0.25],
            "δ is alike at the first layer and the last, but smaller by a factor of 2,000 at conv2 than at pool",
        ),
        ([0.0, 0.0, 1.0, 1.0], "δ is 0 at conv1, conv2"),
        (
            [0.01, math.nan, math.nan, 1.0],
            "δ shrinks by a factor of 100 from the last layer, head, to the first, conv1",
        ),
    ],
)
def test_what_becomes_of_a_norm_on_the_way_back_is_told_in_words(values, said):
    assert along("δ", PATHS, np.array(values)).startswith(said)


def test_both_ends_of_training_are_told():
    shown = norms([record(0, [1e-3, 1, 1, 1], [1, 1, 1]), record(1500, [1, 1, 1, 1], [1, 1, 1])], 100)
    assert [sentence.partition(" is ")[0].partition(" shrinks ")[0] for sentence in shown.sentences] == [
        "Before the first step δ",
        "After step 1,500 δ",
        "Before the first step the gradient",
        "After step 1,500 the gradient",
    ]
    assert shown.epochs == [0, 15]


def pixels(address):
    return np.array(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_colours_are_lighter_the_larger_the_norm_and_nothing_where_there_is_none():
    shown = norms([record(0, [1e-4, 1e-2, 0.0, 1], [1, None, 3]), record(10, [1, 1, 1, 1], [1, 2, 3])], 10)
    delta, gradient = shown.maps
    picture = pixels(delta.picture).astype(int)
    assert picture.shape == (4, 2, 4)
    lightness = picture[..., :3] @ [0.299, 0.587, 0.114]
    assert lightness[0, 0] < lightness[1, 0] < lightness[3, 0] == lightness[0, 1]
    assert picture[2, 0].tolist() == [193, 18, 31, 255]  # a norm of 0 is red
    assert (delta.low, delta.high) == (1e-4, 1)
    assert pixels(gradient.picture)[1, 0, 3] == 0 and (pixels(gradient.picture)[2, :, 3] == 0).all()
    assert shown.data["maps"]["gradient"][1:3] == [[None, 2.0], [None, None]]


def test_a_long_training_keeps_its_first_and_last_moment():
    shown = norms([record(step, [1, 1, 1, step + 1], [1, 1, 1]) for step in range(1000)], 10)
    assert len(shown.steps) <= MOST_MOMENTS and (shown.steps[0], shown.steps[-1]) == (0, 999)
    assert shown.maps[0].values[3].tolist() == [step + 1 for step in shown.steps]


def test_without_norms_the_section_says_why():
    section = layers([], 10)
    assert section.content is None and "--layer-norms yes" in section.missing
    assert layers([record(0, [1, 1, 1, 1], [1, 1, 1])], 10).missing == ""
