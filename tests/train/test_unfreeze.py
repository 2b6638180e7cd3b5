"""Gradual unfreezing: which layers are trained in which epoch, and that a resumed run ends in the same bits."""

import jax
import numpy as np
import pytest

from jaxcnn import models
from jaxcnn.train.experiment import experiment_of
from jaxcnn.train.fit import fit
from jaxcnn.train.loop import train
from jaxcnn.train.recipe import OptimizationRecipe, TrainConfig
from jaxcnn.train.together import why_not
from jaxcnn.train.unfreeze import groups, phases
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC
from tests.train.tiny import STEPS, config, tiny


def shapes(network, size=32):
    return jax.eval_shape(
        lambda: network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, size, size, 3), np.float32))
    )[0]


def test_a_group_is_a_stage_with_its_norms():
    found = groups(models.create("resnet18"), shapes(models.create("resnet18"), 64))
    assert found[0] == ("conv", "bn") and found[-1] == ("head",)
    assert found[1] == ("block1_1", "block1_2") and len(found) == 6


def test_phases_go_from_the_head_to_all_that_the_recipe_trains():
    network = tiny()
    assert phases(network, shapes(network)) == ["conv/*,bn/*", ""]
    assert phases(network, shapes(network), "bn/scale") == ["bn/scale,conv/*,bn/*", "bn/scale"]
    with pytest.raises(ValueError, match=r"and 1 is to be trained; leave it out"):
        phases(network, shapes(network), "conv/*,bn/*")


@pytest.mark.parametrize("optimizer", ["adamw", "momentum"])
def test_only_the_head_is_trained_at_first_and_weight_decay_leaves_the_rest_alone(trained, optimizer):
    recipe = OptimizationRecipe(unfreeze_epochs=1, epochs=2, batch_size=512, optimizer=optimizer, schedule="constant")
    experiment = experiment_of(recipe, trained.experiment.dataset, trained.experiment.model)
    state = experiment.initial_state()
    began = jax.tree.map(np.array, (state.params, state.state))
    for epoch in range(2):
        for batch in experiment.feed.rest_of_epoch(epoch * experiment.steps_per_epoch):
            state, _ = experiment.during(epoch).train_step(state, *batch)
        trained_now = [part for part in began[0] if leaves(state.params[part]) != leaves(began[0][part])]
        assert trained_now == (["head"] if epoch == 0 else ["bn", "conv", "head"])
        assert (leaves(state.state) == leaves(began[1])) == (epoch == 0), "frozen batch norms keep their statistics"
    assert experiment.during(9) is experiment.during(1)


def test_it_is_fit_that_unfreezes(trained):
    dataset, network = trained.experiment.dataset, trained.experiment.model
    recipe = OptimizationRecipe(unfreeze_epochs=1, batch_size=512, epochs=1)
    fitted = fit(network, dataset, recipe)
    assert leaves(fitted.state.params["conv"]) == leaves(fitted.experiment.initial_state().params["conv"])


def test_a_run_that_is_stopped_goes_on_in_the_same_bits(tmp_path):
    options = {"unfreeze_epochs": 1, "epochs": 3}
    whole = train(config(tmp_path / "whole", **options))
    train(config(tmp_path / "run", **options), CtrlC(STEPS + 3))
    assert leaves(train(config(tmp_path / "run", resume=True, **options)).state) == leaves(whole.state)


def test_what_it_can_not_go_with_is_refused():
    with pytest.raises(ValueError, match="unfreeze_epochs is 0; expected 1 epoch or more"):
        TrainConfig(unfreeze_epochs=0)
    with pytest.raises(ValueError, match="unfreeze_epochs is 2; and freeze is 'backbone', for all of training"):
        TrainConfig(unfreeze_epochs=2, freeze="backbone")
    assert why_not(TrainConfig(unfreeze_epochs=2), None).startswith("unfreeze_epochs=2 makes another step")
