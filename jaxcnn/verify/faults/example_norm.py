"""Mistakes in the backward passes of the norms of each example, and of weight standardization."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.faults.fault import Arrays, Fault, Options, as_if, changed, first_example
from jaxcnn.verify.faults.norm import no_epsilon, no_scale, others, standardized_dx

Wrong = Callable[[Any, Arrays, Any, Options], Any]
OVER = (1, 3)


def _grouped(x: Any, groups: int) -> Any:
    """(n, places, groups, channels of a group)."""
    return x.reshape(len(x), math.prod(x.shape[1:-1]), groups, x.shape[-1] // groups)


def _interleaved(x: Any, groups: int) -> Any:
    """The same with every groups-th channel in a group, instead of neighbours."""
    return jnp.swapaxes(_grouped(x, x.shape[-1] // groups), -1, -2)


def _example(axes: tuple[int, ...] = OVER, **terms: Any) -> Wrong:
    """dx of group normalisation with the statistics over `axes` of the grouped x."""

    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        x, scale, _ = arrays
        groups = options["groups"]
        du = _grouped(dy * scale, groups)
        return standardized_dx(_grouped(x, groups), du, axes, options["epsilon"], **terms).reshape(x.shape)

    return wrong


def _kernel(axes: Callable[[Any], Any], **terms: Any) -> Wrong:
    """dkernel of weight standardization with the statistics over these axes."""

    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        kernel, gain = arrays
        return standardized_dx(kernel, dy if gain is None else dy * gain, axes(kernel), options["epsilon"], **terms)

    return wrong


def _rms(**terms: Any) -> Wrong:
    """dx of RMS normalisation."""

    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        x, scale = arrays
        return standardized_dx(x, dy * scale, (-1,), options["epsilon"], **{"by_mean": 0.0, "centred": False} | terms)

    return wrong


def _unbiased(make: Callable[..., Wrong], count: Callable[[Arrays, Options], int]) -> Wrong:
    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        m = count(arrays, options)
        return make(by_var=m / max(1, m - 1))(d, arrays, dy, options)

    return wrong


def _times_x(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    return (dy * arrays[0]).sum(others(dy))


def _common(rule: str, make: Callable[..., Wrong], count: Callable[[Arrays, Options], int]) -> list[Fault]:
    """What can go wrong wherever values are standardised: dx, and the cotangent of the factor behind it."""
    return [
        changed(rule, 0, "mean-term-dropped", "misses the path through the mean: - r mean(du)", make(by_mean=0.0)),
        changed(
            rule, 0, "variance-term-dropped", "misses the path through the variance: - r u mean(du u)", make(by_var=0.0)
        ),
        changed(
            rule,
            0,
            "statistics-constant",
            "takes mean and variance for constants; they depend on every value",
            make(by_mean=0.0, by_var=0.0),
        ),
        changed(
            rule,
            0,
            "variance-for-deviation",
            "is divided by the variance instead of the standard deviation",
            make(power=2.0),
        ),
        changed(
            rule,
            0,
            "n-minus-1",
            "divides the variance's path by m - 1, where the forward divides by m",
            _unbiased(make, count),
        ),
        *_factor(rule),
    ]


def _factor(rule: str) -> list[Fault]:
    """The scale γ, or gain, that multiplies the normalised values."""
    return [
        as_if(rule, 0, "epsilon-dropped", "leaves ε out of the root", no_epsilon),
        as_if(rule, 0, "scale-dropped", "misses the factor γ (scale, gain)", no_scale),
        as_if(rule, 1, "scale-epsilon-dropped", "leaves ε out of the root", no_epsilon),
        changed(rule, 1, "scale-from-x", "is Σ dy x, where the normalised x belongs", _times_x),
    ]


def _sums(rule: str, argument: int, name: str) -> list[Fault]:
    """A vector that serves all examples and places."""
    return [
        as_if(rule, argument, f"{name}-one-sample", "is summed over the first example only", first_example),
        changed(
            rule,
            argument,
            f"{name}-mean",
            "is the mean over batch and places instead of the sum",
            lambda d, a, dy, o: d / max(1, math.prod(dy.shape[:-1])),
        ),
    ]


def _group_size(arrays: Arrays, options: Options) -> int:
    return math.prod(arrays[0].shape[1:]) // options["groups"]


def _wrong_groups(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    x, scale, _ = arrays
    groups = options["groups"]
    dx = standardized_dx(_interleaved(x, groups), _interleaved(dy * scale, groups), OVER, options["epsilon"])
    return jnp.swapaxes(dx, -1, -2).reshape(x.shape)


def _statistics(rule: str, name: str, cause: str, axes: tuple[int, ...]) -> Fault:
    return changed(rule, 0, name, cause, _example(axes))


GROUP = [
    fault
    for rule in ("group_norm", "instance_norm", "layer_norm")
    for fault in [
        *_common(rule, _example, _group_size),
        *_sums(rule, 1, "scale"),
        *_sums(rule, 2, "bias"),
        _statistics(
            rule, "statistics-over-batch", "takes the statistics over the batch too, as batch norm does", (0, 1, 3)
        ),
    ]
] + [
    changed(
        "group_norm",
        0,
        "group-order",
        "puts every groups-th channel in a group, where a group's channels are neighbours",
        _wrong_groups,
    ),
    _statistics("group_norm", "statistics-per-channel", "takes each channel's own statistics, as instance norm", (1,)),
    _statistics("group_norm", "statistics-per-place", "takes the statistics at each place by itself", (3,)),
    _statistics("instance_norm", "statistics-over-channels", "takes the statistics over the channels too", (1, 2, 3)),
]

RMS = [
    changed("rms_norm", 0, "square-term-dropped", "misses the path through the mean square", _rms(by_var=0.0)),
    changed(
        "rms_norm",
        0,
        "sum-for-mean",
        "has a sum over the channels where the mean belongs",
        lambda d, a, dy, o: _rms(by_var=float(d.shape[-1]))(d, a, dy, o),
    ),
    changed("rms_norm", 0, "square-for-root", "is divided by the mean square instead of its root", _rms(power=2.0)),
    changed("rms_norm", 0, "centred", "is that of layer norm: RMS norm subtracts no mean", _rms(by_mean=1.0)),
    *_factor("rms_norm"),
    *_sums("rms_norm", 1, "scale"),
]

WEIGHTS = [
    *_common(
        "weight_standardize",
        lambda **terms: _kernel(others, **terms),
        lambda arrays, options: math.prod(arrays[0].shape[:-1]),
    ),
    changed(
        "weight_standardize",
        0,
        "statistics-per-input",
        "takes the statistics over the window only, for each input channel by itself",
        _kernel(lambda kernel: tuple(range(kernel.ndim - 2))),
    ),
    changed(
        "weight_standardize",
        0,
        "statistics-over-outputs",
        "takes the statistics over the output channels too",
        _kernel(lambda kernel: tuple(range(kernel.ndim))),
    ),
]

FAULTS: list[Fault] = [*GROUP, *RMS, *WEIGHTS]
