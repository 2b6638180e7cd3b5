"""Fashion-MNIST's recipe, on digits and for a few steps."""

from dataclasses import replace
from statistics import mean, stdev

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import fashion_mnist as experiment
from jaxcnn import data

SMALL = replace(experiment.CONFIGS["fast"], data="digits", widths=(8, 16, 32), batch_size=64, epochs=4, mirror=False)


def test_it_learns_and_prints_mean_and_spread(capsys):
    runs = experiment.main(SMALL, seeds=2)
    accuracies = [run.accuracy for run in runs]
    assert min(accuracies) > 0.5, "chance is 0.1"
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"2 seeds: {mean(accuracies):.4f} ± {stdev(accuracies):.4f}, lowest {min(accuracies):.4f}"
    assert [run.plain for run in runs] == accuracies, "without mirroring there is one view"


def test_one_seed_has_no_spread():
    with pytest.raises(SystemExit, match="--seeds is 1; expected 2 or more"):
        experiment.main(SMALL, seeds=1)


def test_mirrored_images_take_part_where_they_may():
    """Trained on images that are their own mirror images, a network says of the mirrored test what it said before."""
    digits = data.load("digits")
    symmetric = digits.test_images | digits.test_images[:, :, ::-1]
    config = replace(SMALL, mirror=True)
    one = experiment.run(config, replace(digits, test_images=symmetric), seed=0, steps=3)
    assert one.plain == one.accuracy
    mirrored = replace(digits, test_images=digits.test_images[:, :, ::-1])
    runs = [experiment.run(config, dataset, seed=0, steps=30) for dataset in (digits, mirrored)]
    assert runs[0].plain != runs[1].plain, "the network sees a difference"
    assert runs[0].accuracy == runs[1].accuracy, "their sum does not depend on which of the two was given"


def test_two_epochs_show_each_image_as_it_is_and_mirrored():
    digits = data.load("digits")
    config = replace(SMALL, batch_size=len(digits.train_labels), mirror=True)
    (first, *_), (second, *_) = (next(experiment.epoch(config, digits, seed=0, number=e)) for e in (0, 1))
    seen = sorted(image.tobytes() for image in np.concatenate([first, second]))
    given = np.concatenate([digits.train_images, digits.train_images[:, :, ::-1]])
    assert seen == sorted(image.tobytes() for image in given)


def test_decay_shrinks_convolutions_only_and_the_rate_rises_and_falls():
    config = replace(SMALL, rate=0.5, decay=0.1)
    steps = 100
    optimizer = experiment.optimizer(config, steps)
    params = {"conv": jnp.ones((3, 3, 2, 4)), "head": jnp.ones((4, 2)), "bias": jnp.ones(2)}
    state, rates, update = optimizer.init(params), [], jax.jit(optimizer.update)
    for _ in range(steps):
        updates, state = update(jax.tree.map(jnp.zeros_like, params), state, params)
        assert not updates["head"].any() and not updates["bias"].any()
        rates.append(-float(updates["conv"][0, 0, 0, 0]) / 0.1)
    assert np.argmax(rates) == 20 and max(rates) == pytest.approx(0.5)
    assert rates[0] == pytest.approx(0.1) and 0 < rates[-1] < 0.01


def test_a_kernel_moves_at_one_pace_in_all_directions():
    """All singular values of the first step are near the rate, however far apart those of the gradient are."""
    optimizer = experiment.optimizer(replace(SMALL, rate=0.5, decay=0.0), 100)
    scales = jnp.geomspace(1, 10, 4)  # of the gradient's columns
    gradient = {"conv": jax.random.normal(jax.random.key(0), (3, 3, 2, 4)) * scales}
    params = {"conv": jnp.ones((3, 3, 2, 4))}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    given, moved = (np.linalg.svd(np.reshape(a["conv"], (18, 4)), compute_uv=False) for a in (gradient, updates))
    assert given[0] > 8 * given[-1]
    assert 0.06 < moved[-1] <= moved[0] < 0.13, "the rate is 0.1 at first"
    assert (
        np.einsum("ab,ab->b", np.reshape(gradient["conv"], (18, 4)), np.reshape(updates["conv"], (18, 4))) < 0
    ).all()


def test_the_deep_network_has_seven_convolutions_and_two_shortcuts():
    """With kernels of zeros past each first convolution, what reaches a block's end came by its shortcut."""
    config = replace(SMALL, deep=True)
    model = experiment.deep_network(config, classes=10)
    params, state = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32))
    kernels = [leaf.shape for leaf in jax.tree.leaves(params) if leaf.ndim == 4]
    assert sorted(kernels) == sorted(
        [(3, 3, 1, 8), (3, 3, 8, 16), *[(3, 3, 16, 16)] * 2, (3, 3, 16, 32), *[(3, 3, 32, 32)] * 2]
    )
    x = jax.random.normal(jax.random.key(1), (2, 28, 28, 1))

    def without(*names):
        """The logits, the kernels under these names being zeros."""

        def kept(path, leaf):
            hidden = leaf.ndim == 4 and any(name in jax.tree_util.keystr(path) for name in names)
            return jnp.zeros_like(leaf) if hidden else leaf

        return model.apply(jax.tree_util.tree_map_with_path(kept, params), state, x)[0]

    assert np.abs(np.diff(without("conv2", "conv3"), axis=0)).max() > 1e-3, "two images still differ"
    np.testing.assert_array_equal(*without("conv1"))


def test_the_deep_network_learns(capsys):
    experiment.main(replace(SMALL, deep=True, precision="bfloat16", epochs=3), seeds=2)
    assert min(float(line.split("accuracy ")[1][:6]) for line in capsys.readouterr().out.splitlines()[1:3]) > 0.5
