"""What a wrong cotangent most likely comes from: the mistake that gives just these numbers.

Explanations are tried from the definite to the vague, and each must reproduce the wrong cotangent entry by entry:

1. its form (None, shape, dtype, NaN);
2. the planted faults of the rule, where one is known;
3. zero, or the wrong sign;
4. a plain factor that means something, such as the batch size;
5. the right entries in another order, or the gradient for other inputs (a kernel flipped, a scale of 1, dy ignored);
6. where the wrong entries lie: one element, the border, all but the first example.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxcnn.verify.causes.gradients import catalogued, other_inputs
from jaxcnn.verify.causes.mistake import Mistake
from jaxcnn.verify.causes.values import any_factor, meaningful_factor, place, reordered, zero_or_sign

__all__ = ["likely_cause"]


def likely_cause(
    *,
    got: Any,
    expected: Any,
    argument: int,
    plain: Callable[..., Any],
    args: tuple[Any, ...],
    static: dict[str, Any],
    dy: Any,
    rule: str | None,
) -> str | None:
    """Why `got[argument]` is not `expected[argument]`: the end of a sentence that begins "The cotangent ...".

    Args:
      got, expected: one cotangent for each argument, wrong and right; None where an argument has none.
      argument: which one to explain.
      plain: `plain(*args, **static)` is the forward, differentiable by JAX.
      args, static, dy: the input at which the cotangents were taken.
      rule: the name under which the rule's faults are catalogued; None for a function that is not in the catalogue.

    Returns: the cause, several joined by "or" where this input can't tell them apart, or None. Never raises: an
    explanation that can't be evaluated is left out.
    """
    try:
        return _likely_cause(got, expected, argument, plain, args, static, dy, rule)
    except Exception:  # a report without a cause is better than no report
        return None


def _likely_cause(
    got: Any, expected: Any, argument: int, plain: Any, args: Any, static: Any, dy: Any, rule: str | None
) -> str | None:
    if len(got) <= argument:
        return f"is missing: {len(got)} cotangents came back for {len(expected)} arguments"
    wrong, right = got[argument], expected[argument]
    if cause := _form(wrong, right):
        return cause
    error = Mistake(wrong, right)
    if not error.visible:
        return "is right to about 7 digits only: some of it is computed in float32" if error.in_float32 else None
    with jax.enable_x64(True):
        explanations: list[Iterator[str]] = [
            catalogued(error, argument, args, static, dy, rule),
            zero_or_sign(error),
            meaningful_factor(error, args, dy, static),
            reordered(error),
            other_inputs(error, argument, plain, args, static, dy),
            place(error),
            any_factor(error),
        ]
        for explanation in explanations:
            causes = list(dict.fromkeys(itertools.islice(explanation, 2)))
            if causes:
                return ", or ".join(causes)
    return None


def _form(wrong: Any, right: Any) -> str | None:
    """What is wrong before any value is."""
    if wrong is None:
        return "is None, although its argument is an array of floats"
    if np.shape(wrong) != np.shape(right):
        hint = " (transposed?)" if np.shape(wrong) == np.shape(right)[::-1] else ""
        return f"has the shape {np.shape(wrong)} instead of {np.shape(right)}{hint}"
    if wrong.dtype != right.dtype:
        return f"has the dtype {wrong.dtype} instead of {right.dtype}"
    values = np.asarray(wrong, np.float64)
    if not np.isfinite(values).all() and np.isfinite(np.asarray(right, np.float64)).all():
        kind = "NaN" if np.isnan(values).any() else "infinite"
        return f"is {kind} in {(~np.isfinite(values)).sum()} of {values.size} entries where the right one is finite"
    return None
