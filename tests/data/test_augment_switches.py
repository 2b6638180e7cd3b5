"""Every augmentation under what users forbid JAX, transformed, and cut up for devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import ShapeDtypeStruct, export
from jax.sharding import AbstractMesh, AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcnn.data import augment
from jaxcnn.data.augment.registry import AUGMENTATIONS
from tests.switches import is_cut, nothing_is_promoted, shapes

TEXTS = {
    "affine": "affine(10,0.1,(0.8,1.2),5,128)",
    "color_jitter": "color_jitter(0.4,0.4,0.4,0.1)",
    "crop": "crop(2,reflect)",
    "cutmix": "cutmix(1,0.5)",
    "cutout": "cutout(3)",
    "flip": "flip",
    "grayscale": "grayscale(0.5)",
    "mixup": "mixup(0.2)",
    "rand_augment": "rand_augment",
    "random_erasing": "random_erasing(0.7)",
    "random_resized_crop": "random_resized_crop",
    "rotate": "rotate(30)",
    "shift": "shift",
    "trivial_augment": "trivial_augment",
}
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 9, 10, 3), np.uint8)
TARGETS = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
TYPES = ShapeDtypeStruct(IMAGES.shape, np.uint8), ShapeDtypeStruct(TARGETS.shape, np.float32)
every = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def test_all_are_here():
    assert set(TEXTS) == set(AUGMENTATIONS)


@every
@pytest.mark.parametrize(
    "under",
    [nothing_is_promoted, jax.checking_leaks, partial(jax.enable_x64, True), jax.disable_jit],
    ids=["nothing is promoted", "leaks", "x64", "no jit"],
)
def test_it_can_be_traced_under_it(text, under):
    with under():
        seen = jax.eval_shape(lambda *batch: augment.parse(text)(jax.random.key(0), *batch), *TYPES)
    assert shapes(seen) == shapes(TYPES)


@every
def test_it_computes_without_nan_and_infinity_and_within_jit_the_same(text):
    augmentation, key = augment.parse(text), jax.random.key(1)
    with jax.debug_nans(True), jax.debug_infs(True):
        expected = augmentation(key, IMAGES, TARGETS)
    for a, b in zip(expected, jax.jit(augmentation)(key, IMAGES, TARGETS), strict=True):
        np.testing.assert_array_equal(a, b)


@every
@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.float16, jnp.bfloat16, jnp.float32, jnp.int32])
def test_shapes_and_dtypes_stay(text, dtype):
    types = ShapeDtypeStruct((5, 7, 6, 1), dtype), ShapeDtypeStruct((5, 4), np.float32)
    assert shapes(jax.eval_shape(partial(augment.parse(text), jax.random.key(0)), *types)) == shapes(types)


@every
def test_batches_of_batches_and_of_any_length(text):
    augmentation = augment.parse(text)
    lead = [ShapeDtypeStruct((2, *t.shape), t.dtype) for t in TYPES]
    keys = jax.eval_shape(partial(jax.random.split, num=2), jax.random.key(0))
    assert shapes(jax.eval_shape(jax.vmap(augmentation), keys, *lead)) == shapes(tuple(lead))
    (n,) = export.symbolic_shape("n")
    open_batch = [ShapeDtypeStruct((n, *t.shape[1:]), t.dtype) for t in TYPES]
    exported = export.export(jax.jit(augmentation), platforms=["cpu"])(jax.random.key(0), *open_batch)
    assert [a.shape for a in exported.out_avals] == [t.shape for t in open_batch]


@every
def test_on_explicit_axes_results_are_cut_as_the_batch_is(text):
    mesh = AbstractMesh((2,), ("d",), axis_types=(AxisType.Explicit,))
    cut = [ShapeDtypeStruct(t.shape, t.dtype, sharding=NamedSharding(mesh, P("d"))) for t in TYPES]
    key = jax.eval_shape(lambda: jax.random.key(0))
    images, targets = jax.eval_shape(augment.parse(text), key, *cut)
    assert is_cut(images) and is_cut(targets)
