"""Mistakes that can be made wherever values get zero mean and unit variance."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed

Wrong = Callable[[Any, Arrays, Any, Options], Any]


def others(x: Any) -> tuple[int, ...]:
    """All axes but the last: the batch and the places."""
    return tuple(range(x.ndim - 1))


def standardized_dx(
    x: Any,
    du: Any,
    axes: Any,
    epsilon: float,
    *,
    by_mean: float = 1.0,
    by_var: float = 1.0,
    power: float = 1.0,
    centred: bool = True,
) -> Any:
    """r^power (du - by_mean mean(du) - by_var u mean(du u)), with u = r (x - mean) and the means over `axes`.

    Right where `by_mean`, `by_var` and `power` are 1; for u = r x (not `centred`) where `by_mean` is 0.
    """
    u = x - x.mean(axes, keepdims=True) if centred else x
    r = lax.rsqrt(jnp.square(u).mean(axes, keepdims=True) + epsilon)
    u = u * r
    along = (du * u).mean(axes, keepdims=True)
    return r**power * (du - by_mean * du.mean(axes, keepdims=True) - by_var * u * along)


def no_epsilon(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """For `as_if`: nothing is added to the variance."""
    return arrays, dy, options | {"epsilon": 0.0}


def no_scale(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """For `as_if`: the factor γ, where there is one, is 1."""
    x, scale, *rest = arrays
    return (x, None if scale is None else jnp.ones_like(scale), *rest), dy, options


def _unbiased(make: Callable[..., Wrong], count: Callable[[Arrays, Options], int]) -> Wrong:
    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        m = count(arrays, options)
        return make(by_var=m / max(1, m - 1))(d, arrays, dy, options)

    return wrong


def _times_x(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    return (dy * arrays[0]).sum(others(dy))


def standardization_faults(
    rule: str, make: Callable[..., Wrong], count: Callable[[Arrays, Options], int]
) -> list[Fault]:
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
        *scale_faults(rule),
    ]


def scale_faults(rule: str) -> list[Fault]:
    """The scale γ, or gain, that multiplies the normalised values."""
    return [
        as_if(rule, 0, "epsilon-dropped", "leaves ε out of the root", no_epsilon),
        as_if(rule, 0, "scale-dropped", "misses the factor γ (scale, gain)", no_scale),
        as_if(rule, 1, "scale-epsilon-dropped", "leaves ε out of the root", no_epsilon),
        changed(rule, 1, "scale-from-x", "is Σ dy x, where the normalised x belongs", _times_x),
    ]
