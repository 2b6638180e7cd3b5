"""What a run begins with is made while its first step is compiled: that program is the one that the step then runs."""

import jax
import pytest

from jaxcnn.train.begin import begin
from jaxcnn.train.experiment import prepare
from tests.train.test_checkpoint import leaves
from tests.train.tiny import config


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"stream": "always"},
        {"ema": 0.9, "on_nonfinite": "skip", "accumulate": 2},
        {"augment": "flip,mixup(0.2)"},
        {"precision": "float16", "remat": True},
        {"unfreeze_epochs": 1},
    ],
    ids=str,
)
def test_what_makes_the_state_and_the_first_step_are_compiled_by_then(caplog, tmp_path, changes):
    made = config(tmp_path / "run", **changes)
    experiment = prepare(made, made.load())
    state = begin(experiment)
    assert leaves(state) == leaves(prepare(made, made.load()).initial_state())
    images, labels = next(experiment.batches())
    with jax.log_compiles():
        experiment.initial_state()
        experiment.during(0).train_step(state, images, labels)
    experiment.feed.close()
    assert [record.getMessage() for record in caplog.records if "XLA compilation" in record.getMessage()] == []


def test_a_step_that_is_compiled_when_it_is_called_is_seen(caplog, tmp_path):
    """By the message that the test above looks for."""
    made = config(tmp_path / "run")
    experiment = prepare(made, made.load())
    images, labels = next(experiment.batches())
    with jax.log_compiles():
        experiment.train_step(experiment.initial_state(), images, labels)
    assert [record for record in caplog.records if "XLA compilation of jit(step)" in record.getMessage()]
