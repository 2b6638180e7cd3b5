"""Mistakes in the backward passes of batch normalisation, in training and in evaluation."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, first_example
from jaxcnn.verify.catalog.norm.faults.standardize import no_epsilon, no_scale, others, standardized_dx


def _train_dx(arrays: Arrays, dy: Any, options: Options, **terms: Any) -> Any:
    """The paths through y, some of them wrong, and those of the outputs mean and var."""
    x, scale, _ = arrays
    dy, dmean, dvar = dy
    m = math.prod(x.shape[:-1])
    through_y = standardized_dx(x, scale * dy, others(x), options["epsilon"], **terms)
    return through_y + (dmean + 2 * dvar * (x - x.mean(others(x)))) / m


def _train(name: str, cause: str, **terms: Any) -> Fault:
    return changed("batch_norm", 0, name, cause, lambda d, a, dy, o: _train_dx(a, dy, o, **terms))


def _unbiased(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    m = math.prod(arrays[0].shape[:-1])
    return _train_dx(arrays, dy, options, by_var=m / (m - 1))


def _statistics_ignored(*which: int) -> Callable[[Arrays, Any, Options], tuple[Arrays, Any, Options]]:
    """The cotangents of these outputs (1: mean, 2: var) taken as zero."""

    def pretend(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
        return arrays, tuple(jnp.zeros_like(d) if i in which else d for i, d in enumerate(dy)), options

    return pretend


def _first_example_of_y(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, (dy[0].at[1:].set(0), *dy[1:]), options


def _sum_with_x(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """Σ dy x, neither centred nor divided by the deviation."""
    return (dy[0] * arrays[0]).sum(others(arrays[0]))


def _deviation(arrays: Arrays, options: Options) -> Any:
    return jnp.sqrt(arrays[0].var(others(arrays[0])) + options["epsilon"])


TRAIN = [
    _train("mean-term-dropped", "misses the path through the mean: - γ r mean(dy)", by_mean=0.0),
    _train("variance-term-dropped", "misses the path through the variance: - γ r x̂ mean(dy x̂)", by_var=0.0),
    _train(
        "statistics-constant",
        "takes mean and variance for constants, as evaluation does; in training they depend on x",
        by_mean=0.0,
        by_var=0.0,
    ),
    _train(
        "variance-term-halved",
        "has half of the path through the variance: the 2 of 2 (x - mean) / m is lost",
        by_var=0.5,
    ),
    _train("variance-for-deviation", "is divided by the variance instead of the standard deviation", power=2.0),
    changed(
        "batch_norm", 0, "n-minus-1", "divides the variance's path by m - 1, where the forward divides by m", _unbiased
    ),
    as_if("batch_norm", 0, "scale-dropped", "misses the factor γ (scale)", no_scale),
    as_if("batch_norm", 0, "epsilon-dropped", "leaves ε out of √(var + ε)", no_epsilon),
    as_if("batch_norm", 0, "dmean-ignored", "ignores the cotangent of the output mean", _statistics_ignored(1)),
    as_if("batch_norm", 0, "dvar-ignored", "ignores the cotangent of the output var", _statistics_ignored(2)),
    as_if(
        "batch_norm",
        0,
        "dmean-dvar-ignored",
        "ignores the cotangents of the outputs mean and var",
        _statistics_ignored(1, 2),
    ),
    changed(
        "batch_norm",
        1,
        "scale-not-normalised",
        "is Σ dy (x - mean), without the division by √(var + ε)",
        lambda d, a, dy, o: d * _deviation(a, o),
    ),
    changed("batch_norm", 1, "scale-from-x", "is Σ dy x, where the normalised x belongs", _sum_with_x),
    as_if("batch_norm", 1, "scale-epsilon-dropped", "leaves ε out of √(var + ε)", no_epsilon),
    as_if("batch_norm", 2, "bias-one-sample", "is summed over the first example only", _first_example_of_y),
    changed(
        "batch_norm",
        2,
        "bias-mean",
        "is the mean over batch and places instead of the sum",
        lambda d, a, dy, o: d / math.prod(a[0].shape[:-1]),
    ),
]


def _root(arrays: Arrays, options: Options) -> Any:
    return jnp.sqrt(arrays[4] + options["epsilon"])


def _trained_dx(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """The training mode's dx, with the given statistics."""
    x, scale, _, mean, _ = arrays
    r = 1 / _root(arrays, options)
    normal = (x - mean) * r
    if not x.size:
        return d
    return scale * r * (dy - dy.mean(others(x)) - normal * (dy * normal).mean(others(x)))


EVAL = [
    as_if("batch_norm_eval", 0, "scale-dropped", "misses the factor γ (scale)", no_scale),
    as_if("batch_norm_eval", 0, "epsilon-dropped", "leaves ε out of √(var + ε)", no_epsilon),
    changed(
        "batch_norm_eval",
        0,
        "training-mode",
        "is that of the training mode: given statistics do not depend on x",
        _trained_dx,
    ),
    changed(
        "batch_norm_eval",
        0,
        "variance-for-deviation",
        "is divided by the variance instead of the standard deviation",
        lambda d, a, dy, o: d / _root(a, o),
    ),
    changed(
        "batch_norm_eval",
        1,
        "scale-from-x",
        "is Σ dy x, where the normalised x belongs",
        lambda d, a, dy, o: (dy * a[0]).sum(others(a[0])),
    ),
    as_if("batch_norm_eval", 2, "bias-one-sample", "is summed over the first example only", first_example),
    changed(
        "batch_norm_eval",
        3,
        "mean-ignored",
        "is zero: the given mean is taken for a constant",
        lambda d, a, dy, o: 0 * d,
    ),
    as_if("batch_norm_eval", 3, "mean-without-scale", "misses the factor γ (scale)", no_scale),
    changed(
        "batch_norm_eval",
        4,
        "variance-factor",
        "misses the 1/2 of the square root's derivative",
        lambda d, a, dy, o: 2 * d,
    ),
    changed(
        "batch_norm_eval",
        4,
        "variance-power",
        "has r² where r³ belongs: d(var + ε)^(-1/2) = -1/2 (var + ε)^(-3/2)",
        lambda d, a, dy, o: d * _root(a, o),
    ),
]

FAULTS: list[Fault] = [*TRAIN, *EVAL]
