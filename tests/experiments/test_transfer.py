"""Transfer to held-out classes, on digits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import transfer as experiment
from jaxcnn import data

SMALL = experiment.Config(
    data="digits", held_out=("3", "8"), examples=(20,), widths=(8, 8, 16), pretraining=60, steps=150
)


def test_every_way_is_tried_printed_and_drawn(tmp_path, capsys):
    found = experiment.main(SMALL, 2, None, tmp_path)
    ways = ["frozen features", "from scratch", "untrained features"]
    assert [list(one) for one in found] == 2 * [[(way, 20) for way in ways]]
    assert np.mean([one["frozen features", 20] for one in found]) > 0.8, "chance is 0.5"
    assert found[0] != found[1], "the seeds train alike"
    rows = [line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert rows == ways
    assert (tmp_path / "transfer.png").read_bytes().startswith(b"\x89PNG")


def test_one_seed_has_no_spread(tmp_path):
    with pytest.raises(SystemExit, match="--seeds is 1; expected 2 or more"):
        experiment.main(SMALL, 1, None, tmp_path)


def test_held_out_classes_are_held_out():
    """Each image of the digits' 3 and 8, and of no other class, is in the held-out tasks, under its own new label."""
    digits = data.load("digits")
    known, unknown, test = experiment.tasks(replace(SMALL, held_out=("8", "3")), digits)
    others = digits.train_images[(digits.train_labels != 3) & (digits.train_labels != 8)] / 255
    np.testing.assert_allclose(known.images, (others - others.mean()) / others.std(), rtol=0, atol=1e-5)
    assert sorted(set(known.labels)) == list(range(8))
    for task, images, labels in (
        (unknown, digits.train_images, digits.train_labels),
        (test, digits.test_images, digits.test_labels),
    ):
        for label, original in enumerate((8, 3)):
            expected = (images[labels == original] / 255 - others.mean()) / others.std()
            np.testing.assert_allclose(task.images[task.labels == label], expected, rtol=0, atol=1e-5)


def test_few_examples_are_so_many_of_each_class_and_others_for_another_seed():
    task = experiment.Task(np.arange(60).reshape(60, 1, 1, 1), np.repeat([0, 1], [20, 40]).astype(np.int32))
    drawn = [task.few(7, seed) for seed in (0, 1)]
    for some in drawn:
        places = some.images.ravel()
        assert len(set(places)) == 14
        np.testing.assert_array_equal(some.labels, places >= 20)
        assert np.bincount(some.labels).tolist() == [7, 7]
    assert set(drawn[0].images.ravel()) != set(drawn[1].images.ravel())


def test_a_new_head_is_learned_and_the_features_keep_their_bits():
    _, unknown, _ = experiment.tasks(SMALL, data.load("digits"))
    model = experiment.network(SMALL.widths, 2)
    params, state = model.init(jax.random.key(1), jax.ShapeDtypeStruct((1, 16, 16, 1), jnp.float32))
    before = jax.tree.map(lambda p: np.asarray(p).tobytes(), (params["features"], state))
    new, new_state = experiment.new_head(model, params, state, unknown.few(20, 0), SMALL, seed=0)
    assert jax.tree.map(lambda p: np.asarray(p).tobytes(), (new["features"], new_state)) == before
    assert not np.array_equal(new["head"]["kernel"], params["head"]["kernel"])
