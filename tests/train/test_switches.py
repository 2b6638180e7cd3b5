"""Training under what users forbid JAX: it trains, evaluates and checks as without."""

import functools
from contextlib import nullcontext

import jax
import numpy as np
import pytest

from jaxcnn.data import cutout, load
from jaxcnn.train.experiment import prepare
from jaxcnn.train.gradients import check_on_hardest
from jaxcnn.train.loop import train
from jaxcnn.train.model_folder import load_model
from jaxcnn.train.predict import predictor
from jaxcnn.train.restore import restore
from tests.train.test_checkpoint import leaves
from tests.train.tiny import config

SWITCHES = {
    "no promotion of ranks": functools.partial(jax.numpy_rank_promotion, "raise"),
    "no promotion of dtypes": functools.partial(jax.numpy_dtype_promotion, "strict"),
    "no NaN": functools.partial(jax.debug_nans, True),
    "no infinity": functools.partial(jax.debug_infs, True),
}


@pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES)
def test_a_run_is_as_without_the_switch(trained, tmp_path, switch):
    with switch():
        result = train(config(tmp_path))
        restored = restore(tmp_path)
        evaluation = restored.experiment.evaluate(restored.state)
        model, images = load_model(tmp_path, "last"), result.experiment.dataset.test_images
        probabilities = model.probabilities(images)
        mirrored = model.probabilities(images[:4, :, ::-1])
        both = predictor(model, tta=True)(model.params, model.state, images[:4])
        check = check_on_hardest(restored.experiment, restored.state, evaluation, 2)
    assert leaves(result.state) == leaves(trained.state)
    np.testing.assert_array_equal(evaluation.probabilities, trained.evaluation.probabilities)
    np.testing.assert_allclose(probabilities, evaluation.probabilities, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both, (probabilities[:4] + np.asarray(mirrored)) / 2, rtol=1e-5, atol=1e-6)
    assert check.agrees


@pytest.mark.parametrize("switch", list(SWITCHES)[:2])
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "sigmoid", "optimizer": "momentum", "schedule": "step", "augment": "flip-shift"},
        {"optimizer": "adam", "schedule": "cosine", "warmup": 1.0, "weight_decay": 1e-3},
        {"optimizer": "nesterov", "schedule": "constant", "label_smoothing": 0.1, "augment": "none"},
        {"optimizer": "sgd", "model": "lenet5", "image_size": 16},
        {"model": "resnet20", "image_size": 16},
    ],
)
def test_every_option_can_be_traced_under_it(tmp_path, switch, options):
    def traced(context):
        settings = config(tmp_path, **options)
        with context:
            experiment = prepare(settings, load("digits", image_size=settings.image_size))
            images, labels = experiment.dataset.train_images[:4], experiment.dataset.train_labels[:4]
            state = jax.eval_shape(experiment.initial_state)
            rates = [float(experiment.schedule(step)) for step in (0, 7)]
            step = jax.eval_shape(experiment.train_step, state, images, labels)
            evaluated = jax.eval_shape(
                experiment.eval_step, state.params, state.state, images, labels, np.ones(4, np.float32)
            )
            return rates, step, evaluated, jax.eval_shape(lambda x: cutout(jax.random.key(0), x, 3), images)

    assert traced(SWITCHES[switch]()) == traced(nullcontext())
