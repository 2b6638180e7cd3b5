"""Mistakes in the backward pass of the Kullback-Leibler divergence."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Fault, changed
from jaxcnn.verify.catalog.loss.faults.per_example import constant, entries, rows


def _kl(argument: int, name: str, cause: str, slope: Callable[..., Any]) -> Fault:
    """dloss slope(log_p, q)."""
    return changed("kl_divergence", argument, name, cause, lambda d, a, dy, o: rows(dy, d) * slope(*a))


def _log(q: Any) -> Any:
    """log q, and 0 where q is 0."""
    return jnp.log(jnp.where(q == 0, 1, q))


FAULTS: list[Fault] = [
    changed(
        "kl_divergence",
        0,
        "mean",
        "is divided by the number of entries of an example: a divergence is their sum",
        lambda d, a, dy, o: d / entries(d),
    ),
    _kl(0, "of-p", "is -dloss p: p was taken for q", lambda log_p, q: -jnp.exp(log_p)),
    _kl(
        0,
        "through-softmax",
        "is p - q, which is for logits: log_p is normalised already",
        lambda log_p, q: jnp.exp(log_p) - q,
    ),
    _kl(0, "over-p", "is divided by p: that for p, not for its logarithm", lambda log_p, q: -q / jnp.exp(log_p)),
    _kl(
        1,
        "one-dropped",
        "misses the 1 of the product rule: d(q log q) = (log q + 1) dq",
        lambda log_p, q: jnp.where(q == 0, 0, _log(q) - log_p),
    ),
    _kl(
        1,
        "entropy-dropped",
        "is -dloss log p: that of the cross-entropy",
        lambda log_p, q: jnp.where(q == 0, 0, -log_p),
    ),
    _kl(1, "infinite-at-zero", "is infinite where q is 0", lambda log_p, q: jnp.log(q) - log_p + 1),
    _kl(
        1,
        "finite-at-zero",
        "is dloss (1 - log p) where q is 0: an entry that adds nothing has no gradient",
        lambda log_p, q: _log(q) - log_p + 1,
    ),
    constant("kl_divergence", 1, "targets"),
]
