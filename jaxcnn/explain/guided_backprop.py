"""Guided backpropagation and the deconvnet: gradients with another backward of ReLU.

Of y = max(x, 0) and a signal dy that comes back, the three differ in what goes on (Springenberg et al. 2015, figure 1):

    the gradient              dy where x > 0
    deconvnet                 dy where            dy > 0
    guided backpropagation    dy where x > 0 and  dy > 0

So the last two show what speaks for the class, and neither is a derivative of anything. What they show depends little
on the upper layers' weights (Adebayo et al. 2018, "Sanity checks for saliency maps"; `experiments/sanity_checks.py`).

ReLU6 is treated as ReLU. Other activations keep their derivative, since the rule above is not defined for them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcnn import ops
from jaxcnn.explain.scores import Classes, explanation, gradient
from jaxcnn.layers import Layer, Params, State
from jaxcnn.ops.rule import Rule, override_backward

Backward = Callable[..., tuple[Array]]


def _guided(rule: Rule[..., Array]) -> Backward:
    def backward(residuals: Any, dy: Array) -> tuple[Array]:
        (dx,) = rule.backward(residuals, dy)
        return (jnp.where(dy <= 0, 0, dx),)

    return backward


def _deconvnet(residuals: Any, dy: Array) -> tuple[Array]:
    return (jnp.where(dy <= 0, 0, dy),)


GUIDED = {rule.name: _guided(rule) for rule in (ops.relu, ops.relu6)}
DECONVNET = dict.fromkeys(GUIDED, _deconvnet)


@explanation()
def guided_backprop(
    network: Layer, params: Params, state: State, x: Float[Array, "n h w c"], classes: Classes = None
) -> Float[Array, "n h w c"]:
    """The gradient of each picture's logit, where what comes back to a ReLU passes only if it is positive.

    Args:
      network, params, state, x: `network(params, state, x)` are logits (n, classes), in evaluation.
      classes: one for all pictures or (n,); by default each picture's top class.

    Returns: of x's shape, with its sign.

    Raises: ValueError for a network without ReLU and ReLU6, and what `saliency` raises.

    Source: Springenberg, Dosovitskiy, Brox & Riedmiller 2015, "Striving for simplicity", figure 1.
    """
    return _overridden("guided_backprop", GUIDED, network, params, state, x, classes)


@explanation()
def deconvnet(
    network: Layer, params: Params, state: State, x: Float[Array, "n h w c"], classes: Classes = None
) -> Float[Array, "n h w c"]:
    """The gradient of each picture's logit, where a ReLU lets what comes back pass if that is positive, whatever x was.

    Max pooling goes back by the places of its maxima, the paper's switches. Arguments, result and errors are those of
    `guided_backprop`.

    Source: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 2.1.
    """
    return _overridden("deconvnet", DECONVNET, network, params, state, x, classes)


def _overridden(
    owner: str, backwards: dict[str, Backward], network: Layer, params: Params, state: State, x: Array, classes: Array
) -> Array:
    with override_backward(**backwards):
        program = jax.make_jaxpr(lambda x: network(params, state, x))(x)
        if backwards.keys().isdisjoint(_operations(program.jaxpr)):
            raise ValueError(
                f"{owner}: the network has no {' or '.join(backwards)} whose backward could be another; take saliency, "
                "smooth_grad or grad_cam."
            )
        return gradient(network, params, state, x, classes)


def _operations(program: Any) -> Iterator[str]:
    """The names of a program's operations, and of those of the programs that it calls."""
    for equation in program.eqns:
        yield equation.primitive.name
        for inner in jax.tree.leaves(list(equation.params.values())):
            if hasattr(inner, "eqns"):
                yield from _operations(inner)
