"""Options that change a step, taken together: they train, end in the same bits when resumed, and are evaluated."""

import jax
import numpy as np
import pytest

from jaxcnn.train.gradients import check_on_hardest
from jaxcnn.train.loop import train
from jaxcnn.train.model_folder import load_model
from jaxcnn.train.restore import restore
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC
from tests.train.tiny import STEPS, config


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bfloat16", "freeze": "conv/kernel,bn/*", "layer_decay": 0.5, "ema": 0.9, "accumulate": 4},
        {"precision": "float16", "remat": True, "clip_norm": 0.5, "optimizer": "lamb", "on_nonfinite": "rollback"},
        {"precision": "mixed", "optimizer": "lars", "ema": 0.5, "freeze": "bn/*", "accumulate": 2, "remat": True},
        {"optimizer": "muon", "layer_decay": 0.8, "clip_norm": 1.0, "on_nonfinite": "skip", "augment": "mixup(0.2)"},
    ],
)
def test_they_go_on_in_the_same_bits_and_are_evaluated(tmp_path, options):
    options = {"learning_rate": None} | options
    whole = train(config(tmp_path / "whole", **options))
    train(config(tmp_path / "run", **options), CtrlC(STEPS + 3))
    resumed = train(config(tmp_path / "run", resume=True, **options))
    assert leaves(resumed.state) == leaves(whole.state)
    assert {leaf.dtype for leaf in jax.tree.leaves((whole.state.params, whole.state.average))} == {np.dtype(np.float32)}

    restored = restore(tmp_path / "run")
    evaluation = restored.experiment.evaluate(restored.state)
    np.testing.assert_array_equal(evaluation.probabilities, whole.evaluation.probabilities)
    images = restored.experiment.dataset.test_images
    probabilities = load_model(tmp_path / "run", "last").probabilities(images)
    np.testing.assert_allclose(probabilities, evaluation.probabilities, rtol=1e-5, atol=1e-6)
    assert check_on_hardest(restored.experiment, restored.state, evaluation, 2).agrees
    if frozen := options.get("freeze"):
        began = restored.experiment.initial_state()
        assert leaves(whole.state.params["bn"]) == leaves(began.params["bn"]), frozen
        assert leaves(whole.state.state["bn"]) == leaves(began.state["bn"]), frozen
    assert leaves(whole.state.params["head"]) != leaves(restored.experiment.initial_state().params["head"])
