"""`fit` with parts of one's own, and the batches of a whole training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcnn.data import load, train_batches
from jaxcnn.train.experiment import experiment_of
from jaxcnn.train.fit import fit
from jaxcnn.train.recipe import OptimizationRecipe
from tests.train.test_checkpoint import leaves
from tests.train.tiny import STEPS, tiny

RECIPE = OptimizationRecipe(
    epochs=2,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    weight_decay=0.0,
    schedule="constant",
    augment="none",
    label_smoothing=0.0,
)


def test_an_optimizer_and_an_augmentation_of_ones_own_take_the_place_of_the_recipe_s():
    digits = load("digits", image_size=8)

    def negative(key, images, labels):
        return 255 - images, labels

    other = OptimizationRecipe(**vars(RECIPE) | {"optimizer": "adamw", "learning_rate": 1.0, "augment": "flip"})
    ours = fit(tiny(), digits, other, optimizer=optax.sgd(0.1), augment=lambda key, x, y: (jnp.asarray(x), y))
    assert leaves(ours.state.params) == leaves(fit(tiny(), digits, RECIPE).state.params)
    changed = fit(tiny(), digits, RECIPE, augment=negative)
    x, _, _ = changed.experiment.train_inputs(jax.random.key(0), digits.train_images[:2], digits.train_labels[:2])
    np.testing.assert_array_equal(x, changed.experiment.normalise(255 - digits.train_images[:2]))


def test_batches_are_those_of_all_epochs_from_a_step_on():
    digits = load("digits", image_size=8)
    experiment = experiment_of(RECIPE, digits, tiny())
    images, labels = digits.train_images, digits.train_labels
    expected = [batch for epoch in range(2) for batch in train_batches(images, labels, 128, seed=0, epoch=epoch)]
    for start in (0, 3, STEPS, STEPS + 4):
        found = list(experiment.batches(start))
        assert len(found) == 2 * STEPS - start
        jax.tree.map(np.testing.assert_array_equal, found, expected[start:])
