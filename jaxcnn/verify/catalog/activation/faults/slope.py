"""Mistakes in the derivative of a function that works element by element."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Fault, changed


def slope(rule: str, name: str, cause: str, derivative: Callable[..., Any]) -> Fault:
    """dx = dy derivative(x, **options)."""
    return changed(rule, 0, name, cause, lambda d, arrays, dy, options: dy * derivative(arrays[0], **options))


def sides(x: Any, right: Any, left: Any) -> Any:
    """`right` where x > 0, else `left`."""
    return jnp.where(x > 0, right, left)
