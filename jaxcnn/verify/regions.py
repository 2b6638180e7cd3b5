"""What the wrong entries of a cotangent have in common."""

from typing import Any

import numpy as np

from jaxcnn.verify.report import Region


def region(wrong: Any, expected: Any, x: Any, kind: str, smooth_fails: bool) -> Region:
    """Name the smallest description that covers every wrong entry.

    Args:
      wrong: the mask of wrong entries.
      expected: the right cotangent, for a cotangent dy without zeros.
      x: the argument's values.
      kind: the kind of input.
      smooth_fails: True where inputs without ties and zeros show the fault too.
    """
    if not smooth_fails and kind in ("ties", "constant"):
        return "tie"
    if not smooth_fails and not np.any(wrong & (x != 0)):
        return "zero"
    if not smooth_fails and kind == "whole":
        return "kink"
    if np.any(expected) and not np.any(wrong & ~_unseen(expected)):
        return "remainder"
    at_ends = sum(_at_ends(wrong, axis) for axis in range(wrong.ndim))
    if at_ends:
        return "border" if at_ends == 1 else "corner"
    return "everywhere" if wrong.mean() > 1 / 4 else "interior"


def _unseen(expected: Any) -> Any:
    """The entries in slabs, across one axis, whose cotangent is zero throughout: no output looks at them."""
    mask = np.zeros(expected.shape, bool)
    for axis in range(expected.ndim):
        others = tuple(a for a in range(expected.ndim) if a != axis)
        mask |= ~np.any(expected, axis=others, keepdims=True)
    return mask


def _at_ends(wrong: Any, axis: int) -> bool:
    """True where wrong entries lie only at the ends of an axis that has more than its ends."""
    n = wrong.shape[axis]
    where = np.flatnonzero(np.any(wrong, axis=tuple(a for a in range(wrong.ndim) if a != axis)))
    return n > 2 and set(where.tolist()) <= {0, n - 1}
