"""An operation run forward and backward on an example: which entry of x gets which share of which entry of dy."""

import inspect
import math
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.ops.rule import RULES
from jaxcnn.primitive import promoting
from jaxcnn.report.show.examples import Example
from jaxcnn.verify.catalog.draw import Draw, worked_out
from jaxcnn.verify.catalog.fault import differentiable
from jaxcnn.verify.program import compiler_options

# What comes back to the entries of y in turn: both signs, no two neighbours alike, and 7 of them, so that rows differ.
COTANGENTS = (1.0, -2.0, 3.0, 2.0, -1.0, 1.0, -3.0)


@dataclass(frozen=True)
class Named:
    """An array of a call and its cotangent, None where it has none."""

    name: str
    value: Any
    cotangent: Any


@dataclass(frozen=True)
class Shares:
    """A call: what went in, what came out, and the derivative of each entry of the latter for each of the former.

    Attributes:
      inputs, outputs: the arrays, channels last; absent ones and random keys are left out.
      slopes: for each output and each input the matrix (entries of the output, entries of the input) of the
        derivatives, by the rule's own backward; None for an input that has no cotangent.
    """

    inputs: list[Named]
    outputs: list[Named]
    slopes: list[list[Any]]


def shares(name: str, example: Example) -> Shares:
    """Run the rule of this name on the example, in float64: its `forward`, and its `backward` for every unit cotangent.

    The slopes are one vmapped call of the backward on the rows of an identity matrix.
    """
    rule = RULES[name]

    def run(*args: Any) -> Any:
        given = iter(args)
        filled = tuple(next(given) if _is_array(a) else a for a in example.args)
        arrays, options = worked_out(name, Draw(filled, example.options))
        y, residuals = rule.forward(*arrays, **options)
        leaves, tree = jax.tree.flatten(y)
        ends = np.cumsum([leaf.size for leaf in leaves]).tolist()
        rows = jnp.split(jnp.eye(ends[-1]), ends[:-1], axis=1)
        units = [row.reshape(-1, *leaf.shape) for row, leaf in zip(rows, leaves, strict=True)]
        dy = [_cotangent(leaf.shape) for leaf in leaves]

        def pull(dy: Any) -> Any:
            return rule.backward(residuals, jax.tree.unflatten(tree, dy), **options)

        return arrays, leaves, dy, pull(dy), jax.vmap(pull)(units)

    with jax.enable_x64(True), promoting():
        compiled = jax.jit(run, compiler_options=compiler_options()[0])
        arrays, ys, dys, back, rows = compiled(*filter(_is_array, example.args))
    inputs, matrices = [], []
    for argument, a, da, row in zip(inspect.signature(rule).parameters, arrays, back, rows, strict=False):
        if a is None or argument == "key":
            continue
        moves = differentiable(a)
        inputs.append(Named(argument, np.asarray(a), np.asarray(da) if moves else None))
        matrices.append(np.asarray(row).reshape(len(row), -1) if moves else None)
    names = example.outputs if len(example.outputs) == len(ys) else [f"y{i}" for i in range(len(ys))]
    ends = np.cumsum([y.size for y in ys])
    return Shares(
        inputs,
        [Named(output, np.asarray(y), np.asarray(dy)) for output, y, dy in zip(names, ys, dys, strict=True)],
        [[None if m is None else m[end - y.size : end] for m in matrices] for y, end in zip(ys, ends, strict=True)],
    )


def _is_array(argument: Any) -> bool:
    return isinstance(argument, np.ndarray | jax.Array)


def _cotangent(shape: tuple[int, ...]) -> Any:
    return jnp.asarray(list(islice(cycle(COTANGENTS), math.prod(shape)))).reshape(shape)
