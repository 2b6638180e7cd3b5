"""The features' figure, for a network on digits that has hardly learned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxcnn
from experiments import features as experiment
from jaxcnn.train.recipe import TrainConfig


def test_it_prints_receptive_fields_and_draws(tmp_path, capsys):
    experiment.main(TrainConfig(epochs=1), 3, 0, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "first layer: a value sees 5×5 pixels, its neighbour the same 1 further"
    assert lines[3] == "last layer: a value sees 32×32 pixels, its neighbour the same 4 further"
    with Image.open(tmp_path / "features.png") as picture:
        assert np.asarray(picture.convert("L"), float).std() > 20


@pytest.mark.parametrize("name", ["relu1", "pool1", "relu3", "relu5"])
def test_the_receptive_field_is_what_pixels_change(name):
    """Every pixel is changed by itself; the box around those that matter is the field."""
    model = experiment.until(experiment.network(10, (4, 4, 4)), name)
    field = experiment.receptive_field(model)
    (size, _), (jump, _) = (of := jaxcnn.summary(model, (24, 24, 1)).rows[-1].field).size, of.jump
    assert (field.size, field.jump) == (size, jump)
    key = jax.random.key(0)
    params, state = model.init(key, jax.ShapeDtypeStruct((1, 24, 24, 1), jnp.float32))
    apply = jax.jit(lambda x: model.apply(params, state, x)[0])
    matters = 0
    for base in jax.random.normal(key, (4, 24, 24, 1)):
        changes = 5 * jnp.eye(24 * 24).reshape(-1, 24, 24, 1)
        matters += np.asarray(abs(apply(base + changes) - apply(base[None])) > 0).any(-1)
    height = matters.shape[1]
    for row, column in ((0, height - 1), (height // 2, height // 2)):
        seen = matters[:, row, column].reshape(24, 24) > 0
        for place, along in ((row, seen.any(1)), (column, seen.any(0))):
            pixels = np.flatnonzero(along)
            assert field.pixels(place, 24) == (pixels[0], pixels[-1] + 1)


def test_a_patch_is_what_the_value_sees_and_gray_beyond():
    image = np.arange(1, 26, dtype=np.uint8).reshape(5, 5, 1)
    field = experiment.Field(size=3, jump=2, start=-1)
    np.testing.assert_array_equal(experiment.patch(image, field, 1, 1)[..., 0], [[7, 8, 9], [12, 13, 14], [17, 18, 19]])
    corner = [[13, 14, 15], [18, 19, 20], [23, 24, 25]]
    np.testing.assert_array_equal(experiment.patch(image, experiment.Field(3, 2, 0), 1, 1)[..., 0], corner)
    np.testing.assert_array_equal(experiment.patch(image, field, 0, 0)[..., 0], [[224] * 3, [224, 1, 2], [224, 6, 7]])


def test_the_strongest_places_come_from_different_images_in_order():
    maps = np.zeros((4, 3, 5, 2))
    maps[2, 1, 4, 1], maps[2, 0, 0, 1], maps[0, 2, 3, 1], maps[3, 0, 1, 1], maps[1, 1, 1, 0] = 9, 8, 7, 1, 99
    assert experiment.strongest(maps, feature=1, count=3) == [(2, 1, 4), (0, 2, 3), (3, 0, 1)]


def test_a_mosaic_holds_every_tile_a_pixel_apart():
    tiles = np.arange(3 * 2 * 2).reshape(3, 2, 2, 1)
    made = experiment.mosaic(tiles, 2, 99)[..., 0]
    np.testing.assert_array_equal(made[0], [0, 1, 99, 4, 5])
    np.testing.assert_array_equal(made[2], 99)
    np.testing.assert_array_equal(made[3:, 3:], 99)
    np.testing.assert_array_equal(made[3], [8, 9, 99, 99, 99])


def test_various_features_are_active_ones_that_differ():
    left, right = np.zeros((4, 4)), np.zeros((4, 4))
    left[:, 0], right[:, 3] = 1, 1
    maps = np.stack([left, 2 * left, right, left + 0.1 * right, right.T, left, right, left], -1)
    activity = np.array([5, 9, 4, 8, 1, 0, 0, 0])
    assert experiment.various(maps, activity, 3) == [1, 2, 3], "its double 0 is passed over, 4 is not active enough"
