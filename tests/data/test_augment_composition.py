"""Augmentations by name: what the text means, each step's key, and what is wrong with a text."""

import jax
import numpy as np
import pytest

from jaxcnn.data import augment, cutout, flip, shift
from jaxcnn.data.augment import crop, mixup
from jaxcnn.data.augment.registry import AUGMENTATIONS

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 16, 18, 3), np.uint8)
TARGETS = np.eye(6, dtype=np.float32)


def test_steps_are_done_in_order_with_a_key_each():
    key = jax.random.key(7)
    first, second, third, fourth = jax.random.split(key, 4)
    x = cutout(third, flip(second, crop(first, IMAGES, 4, "reflect")), 8)
    expected = mixup(fourth, x, TARGETS, 0.2)
    seen = augment.parse("crop(4,reflect),flip,cutout(8),mixup(0.2)")(key, IMAGES, TARGETS)
    for a, b in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("partitionable", [True, False])
def test_shift_and_flip_shift_draw_from_two_keys_in_this_order(partitionable):
    with jax.threefry_partitionable(partitionable):  # how keys are split; without, it matters into how many
        check_the_draws_of_shift_and_flip_shift()


def check_the_draws_of_shift_and_flip_shift():
    key = jax.random.key(5)
    shift_key, flip_key = jax.random.split(key)
    corners = np.asarray(jax.random.randint(shift_key, (6, 2), 0, 5))
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    moved = np.stack([image[i : i + 16, j : j + 18] for image, (i, j) in zip(padded, corners, strict=True)])
    mirrored = np.asarray(jax.random.bernoulli(flip_key, 0.5, (6, 1, 1, 1)))
    for word, expected in (("shift", moved), ("flip-shift", np.where(mirrored, moved[:, :, ::-1], moved))):
        seen, targets = augment.parse(word)(key, IMAGES, TARGETS)
        np.testing.assert_array_equal(seen, expected)
        assert targets is TARGETS
    np.testing.assert_array_equal(shift(shift_key, IMAGES, 2), moved)


def test_none_changes_nothing():
    nothing = augment.parse("none")
    images, targets = nothing(jax.random.key(0), IMAGES, TARGETS)
    assert images is IMAGES and targets is TARGETS and not nothing.mixes and str(nothing) == "none"


def test_labels_pass_by_what_mixes_nothing():
    labels = np.arange(6)
    assert augment.parse("flip,rotate(10)")(jax.random.key(0), IMAGES, labels)[1] is labels


@pytest.mark.parametrize(("text", "mixes"), [("flip,cutmix(1)", True), ("mixup(0.2),flip", True), ("flip", False)])
def test_whether_it_mixes(text, mixes):
    assert augment.parse(text).mixes is mixes


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("crop(4,reflect),flip,cutout(8),mixup(0.2)", None),
        ("none", None),
        ("shift", None),
        ("shift(2)", None),
        ("flip-shift", "shift,flip"),
        ("  crop( 4 , 'edge' ) ,flip( ) ", "crop(4,replicate),flip"),
        ("crop(4,zeros)", "crop(4)"),
        ("crop(mode=wrap,pixels=2)", "crop(2,circular)"),
        ("random-resized-crop(ratio=[1,1])", "random_resized_crop((0.08,1),(1,1))"),
        ("affine(10,scale=(0.9,1.1))", "affine(10,0,(0.9,1.1))"),
        ("color-jitter(0.4,0.4,0.4,0.1)", "color_jitter(0.4,0.4,0.4,0.1)"),
        ("random_erasing(0.25,fill=random)", "random_erasing(0.25)"),
        ("random_erasing(fill=0)", "random_erasing(0.5,(0.02,0.4),(0.3,3.3333333333333335),0)"),
        ("rand_augment(2,9),trivial_augment", "rand_augment,trivial_augment"),
        ("cutmix(1e-3,0.5)", "cutmix(0.001,0.5)"),
        ("mixup(1.0)", "mixup(1)"),
    ],
)
def test_the_canonical_text_says_the_same(text, canonical):
    read = augment.parse(text)
    assert str(read) == (canonical or text)
    assert augment.parse(str(read)) == read and hash(augment.parse(str(read))) == hash(read)


def test_it_is_a_static_argument_of_jit():
    run = jax.jit(lambda augmentation, key, *batch: augmentation(key, *batch), static_argnums=0)
    read, key = augment.parse("flip,mixup(1)"), jax.random.key(0)
    for a, b in zip(run(read, key, IMAGES, TARGETS), read(key, IMAGES, TARGETS), strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_has_the_name_of_its_function():
    for name, entry in AUGMENTATIONS.items():
        assert getattr(augment, name) is entry.function


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crp(4)", "no augmentation is called crp, did you mean crop?"),
        ("invert", "no augmentation is called invert; There are"),
        ("randaugment", "no augmentation is called randaugment, did you mean rand_augment?"),
        ("Flip", "did you mean flip?"),
        ("flipshift", "did you mean flip_shift?"),
        ("xyz", "no augmentation is called xyz; There are affine, color_jitter, crop,"),
        ("crop", "crop: pixels is missing; expected a whole number of pixels, 0 or more"),
        ("mixup", "mixup: alpha is missing; expected a number above 0, such as 0.2"),
        ("crop(-1)", "crop: pixels is -1; expected a whole number of pixels, 0 or more"),
        ("crop(1.5)", "crop: pixels is 1.5; expected a whole number"),
        ("crop(4,mirror)", "crop: mode is 'mirror'; expected one of constant, reflect, symmetric, replicate, circular"),
        ("crop(True)", "crop: pixels is True; expected a whole number"),
        ("crop(4,5,6)", "crop has 3 arguments; crop takes pixels, mode"),
        ("crop(4,size=3)", "crop has an argument size; crop takes pixels, mode"),
        ("crop(4,pixels=3)", "crop: pixels is given twice"),
        ("cutout(0)", "cutout: side is 0; expected 1 pixel or more"),
        ("flip(1.5)", "flip: probability is 1.5; expected a probability, 0 to 1"),
        ("mixup(nan)", "mixup: alpha is 'nan'; expected a number above 0"),
        ("mixup(1e999)", "mixup: alpha is inf; expected a number above 0"),
        ("mixup(2*3)", "mixup: alpha is '2*3'; expected a number above 0"),
        ("mixup(-0.5)", "mixup: alpha is -0.5; expected a number above 0"),
        ("crop(4,-'reflect')", """crop: mode is "-'reflect'"; expected one of constant"""),
        ("mixup(-True)", "mixup: alpha is -1; expected a number above 0"),
        ("mixup(" + "-" * 90 + "1)", "; expected a number above 0"),
        ("mixup({[]: 1})", "mixup: alpha is '{[]: 1}'; expected a number above 0"),
        ("mixup(3j)", "mixup: alpha is 3j; expected a number above 0"),
        ("crop(4,é)", "crop: mode is 'é'; expected one of constant"),
        ("rand_augment(2,31)", "rand_augment: magnitude is 31; expected 0 to 30"),
        ("rand_augment(0)", "rand_augment: operations is 0; expected a number of operations, 1 or more"),
        ("random_resized_crop((0,1))", "random_resized_crop: scale is (0, 1); expected two shares of the image's area"),
        ("random_resized_crop(0.5)", "random_resized_crop: scale is 0.5; expected two shares of the image's area"),
        ("rotate(270)", "rotate: degrees is 270; expected degrees, 0 to 180"),
        ("rotate(10,300)", "rotate: fill is 300; expected a pixel's value, 0 to 255"),
        ("color_jitter(hue=0.7)", "color_jitter: hue is 0.7; expected a share of the colour wheel, 0 to 0.5"),
        ("flip-shift(3)", "flip_shift takes no arguments; write shift(...),flip(...)"),
        ("alternating_flip", "must know which image is which"),
        ("flip,none", "none stands alone"),
        *((text, "expected none, or augmentations by name, such as") for text in (
            "", " ", ",", "flip,,crop(4)", "crop(4", "flip flip", "1+2", "a)(b", "**x", "flip()()", "a.b(3)", "\0",
            "flip)#", "[flip]", "(flip,)", "lambda: 3", "(" * 5000, "-" * 100_000 + "1",
        )),
    ],
    ids=lambda value: str(value)[:40].encode("unicode_escape").decode(),
)  # fmt: skip
def test_what_is_wrong_with_a_text_is_said(text, message):
    with pytest.raises(ValueError) as caught:
        augment.parse(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"augment is {text!r}; ") and str(caught.value).endswith(".")
