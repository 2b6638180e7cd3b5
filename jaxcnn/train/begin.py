"""The state that training begins with, made while the first step is compiled."""

from concurrent.futures import ThreadPoolExecutor

import jax

from jaxcnn.train.experiment import Experiment
from jaxcnn.train.on_features import kept
from jaxcnn.train.placement import ONE_DEVICE
from jaxcnn.train.state import TrainState


def begin(experiment: Experiment) -> TrainState:
    """`experiment.initial_state()`; meanwhile the program of the first step is compiled, or loaded, too.

    To draw the weights of a deep network takes a program as large as its step. XLA makes either without Python, which
    traces the other. A step that takes something else, cut over several devices or features in place of images, is
    compiled when it is called.
    """
    if experiment.placement is not ONE_DEVICE or kept(experiment).parts:
        return experiment.initial_state()
    images, labels = experiment.dataset.train_images, experiment.dataset.train_labels
    n = experiment.batch_size
    batch = (jax.ShapeDtypeStruct((n, *array.shape[1:]), array.dtype) for array in (images, labels))
    lowered = experiment.lowered_state()
    with ThreadPoolExecutor(1) as pool:
        compiled = pool.submit(lowered.compile)
        state = jax.eval_shape(experiment.initial_state)
        experiment.during(0).train_step.lower(state, *batch).compile()
        compiled.result()
    return experiment.initial_state()
