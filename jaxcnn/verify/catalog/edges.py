"""Backward passes that are wrong only where tests seldom look, planted in every rule.

Right for one example, for sizes that tiles divide, for options at their defaults, for normal inputs, for a constant dy,
for indices that are all different, on one device.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import sequential_vmap
from jax.experimental.custom_partitioning import custom_partitioning

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, right
from jaxcnn.verify.catalog.generic import batch_size

# Rules whose second array is of indices.
INDEXED = ("max_unpool", "multi_margin", "nll", "softmax_cross_entropy")

# No options to be wrong for: the doors of rules see to the first two, and spaces leave the others at their defaults.
NO_FLAGS = ("layout", "output_padding", "precision", "axis_name")


def _doubled(d: Any, wrong: Any) -> Any:
    """d with these of its entries doubled, and raised: a saturated activation has no cotangent to double."""
    return jnp.where(wrong, 2 * d + jnp.asarray(1e-3, d.dtype), d)


def _wrong_where(
    rule: str, name: str, cause: str, wrong: Callable[[Any, Arrays, Options], Any], turn: int = 0
) -> Fault:
    """A fault: the entries `wrong(d, arrays, options)`, a mask, of the turn-th cotangent d, counted round."""

    def backward(arrays: Arrays, dy: Any, **options: Any) -> Arrays:
        cotangents = list(right(rule, arrays, dy, **options))
        which = [i for i, d in enumerate(cotangents) if d is not None]
        argument = which[turn % len(which)]
        cotangents[argument] = _doubled(cotangents[argument], wrong(cotangents[argument], arrays, options))
        return tuple(cotangents)

    return Fault(rule, name, cause, backward)


def _in_a_batch(d: Any, arrays: Arrays, options: Options) -> bool:
    return batch_size(arrays) > 1


def _beyond_tiles(tile: int) -> Callable[[Any, Arrays, Options], Any]:
    """The last, incomplete tile along the longest axis."""

    def wrong(d: Any, arrays: Arrays, options: Options) -> Any:
        if not d.ndim or max(d.shape) < tile:
            return False
        axis = int(np.argmax(d.shape))
        within = lax.broadcasted_iota(int, d.shape, axis) < d.shape[axis] // tile * tile
        return ~within

    return wrong


def _far_from_0(d: Any, arrays: Arrays, options: Options) -> Any:
    x = arrays[0]
    return (x.std() > 0) & (abs(x.mean()) > 100 * x.std())


def _subnormal(d: Any, arrays: Arrays, options: Options) -> Any:
    x = arrays[0]
    return (x != 0) & (abs(x) < 1e-38) if x.shape == d.shape else False


def _repeated(d: Any, arrays: Arrays, options: Options) -> Any:
    indices = arrays[1].ravel()
    return (indices[:, None] == indices).sum() > indices.size


def _at_another(option: str, default: Any) -> Callable[[Any, Arrays, Options], bool]:
    return lambda d, arrays, options: option in options and _values(options[option]) != _values(default)


def _values(option: Any) -> set[Any]:
    """What an option is made of: (1, 1) and 1 are the same stride."""
    return set().union(*map(_values, option)) if isinstance(option, tuple | list) else {option}


def _flags(rule: str) -> Sequence[tuple[str, Any]]:
    """The options of a backward that are a choice or a count, and the defaults that the rule's door gives them."""
    door, plain = (inspect.signature(f).parameters for f in (RULES[rule], RULES[rule].plain))
    named = {name for name, p in plain.items() if p.kind is p.KEYWORD_ONLY}
    if any(p.kind is p.VAR_KEYWORD for p in plain.values()):
        named |= {name for name, p in door.items() if p.default is not None}  # None stands for no array
    defaults = [(p.name, p.default) for p in door.values() if p.name in named and p.name not in NO_FLAGS]
    return [(name, default) for name, default in defaults if isinstance(default, bool | int | str | None)]


@jax.custom_vjp
def on_last_device(dy: Any) -> Any:
    """The identity, but that on the last of several devices, each with a part of the array, it doubles its part."""
    return sequential_vmap(_partitioned)(dy)


on_last_device.defvjp(lambda dy: (on_last_device(dy), None), lambda _, ddy: (on_last_device(ddy),))


@custom_partitioning
def _partitioned(dy: Any) -> Any:
    return dy


def _partition(mesh: Any, arguments: Any, result: Any) -> Any:
    sharding = arguments[0].sharding
    names = [name for name in sharding.spec if name is not None]

    def part(dy: Any) -> Any:
        last = [lax.axis_index(name) == mesh.shape[name] - 1 for name in names]
        return jnp.where(jnp.stack(last).all(), 2 * dy, dy) if last else dy

    return mesh, part, sharding, (sharding,)


_partitioned.def_partition(partition=_partition, sharding_rule="... -> ...")


def _faults() -> list[Fault]:
    planted = []
    for turn, rule in enumerate(sorted(RULES)):
        planted += [
            _wrong_where(rule, "batch", "is wrong in batches of two and more examples", _in_a_batch, turn),
            _wrong_where(rule, "tile-of-4", "is wrong in the last, incomplete tile of four", _beyond_tiles(4)),
            _wrong_where(rule, "tile-of-16", "is wrong in the last, incomplete tile of sixteen", _beyond_tiles(16)),
            _wrong_where(rule, "far-from-0", "is wrong where the input lies far from 0 for its spread", _far_from_0),
            _wrong_where(rule, "subnormal", "is wrong for inputs so small that they are subnormal", _subnormal),
            as_if(rule, None, "dy-mean", "does not see how dy varies: it is what its mean gives", _of_mean_dy),
        ]
        for option, default in _flags(rule):
            cause = f"is wrong wherever {option} is not its default {default!r}"
            planted.append(_wrong_where(rule, f"other-{option}", cause, _at_another(option, default), turn))
        if rule in INDEXED:
            planted.append(_wrong_where(rule, "repeated-index", "is wrong where an index occurs twice", _repeated))
    return planted


def _of_mean_dy(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, jax.tree.map(lambda d: jnp.full_like(d, d.mean()), dy), options


def _on_devices() -> list[Fault]:
    """What can be told only where there are two."""
    cause = "is wrong on the last of several devices: it counts its part of dy twice"

    def last(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
        return arrays, jax.tree.map(on_last_device, dy), options

    return [as_if(rule, None, "last-device", cause, last) for rule in sorted(RULES)] if jax.device_count() > 1 else []


FAULTS = _faults() + _on_devices()
