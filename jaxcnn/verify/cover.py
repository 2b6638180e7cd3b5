"""Choose few draws out of many such that as many pairs of properties as possible meet in one of them.

Faults show where few properties meet: a wrong group order in groups of several channels, padding swapped where it is
asymmetric. Nearly all faults need one or two (Kuhn, Wallace & Gallo 2004, "Software fault interactions and
implications for software testing"), and compiling a draw costs far more than drawing it: so many are drawn, and those
that together cover most pairs are run.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

Feature = tuple[Any, ...]


def cover(draws: Sequence[Any], most: int) -> list[Any]:
    """At most `most` draws, greedily: the next is the one that adds most words, of equals most pairs, then the first.

    A word as an option, such as a mode, has code of its own, so each is met if there is room. Only the last draw may
    have an empty array, in which no number can be wrong.
    """
    empty = [d for d in draws if any(np.size(a) == 0 for a in d.args)][: most - 1]
    full = [d for d in draws if all(np.size(a) for a in d.args)]
    pairs = [_pairs(features(d)) for d in full]
    chosen: list[int] = []
    covered: set[Any] = set()
    while len(chosen) < min(most - bool(empty), len(full)):
        new = {i: pairs[i] - covered for i in range(len(full)) if i not in chosen}
        best = max(new, key=lambda i: (sum(map(_is_word, new[i])), len(new[i]), -i))
        chosen.append(best)
        covered |= pairs[best]
    return [*(full[i] for i in chosen), *empty[:1]]


def _is_word(feature: Feature) -> bool:
    return feature[0] == "option" and isinstance(feature[-1], str)


def _pairs(found: set[Feature]) -> set[Any]:
    """Each feature, and each pair; an axis of size 1 hides more faults than it shows, so it makes no pairs."""
    telling = sorted((f for f in found if f[-1] != "one"), key=repr)
    return found | set(combinations(telling, 2))


def features(draw: Any) -> set[Feature]:
    """What a draw is like: each option's kind of value, each array's rank, and the kind of size of each axis.

    Of channels in groups also the kind of size of one group: their order shows only in groups of 2 or more. Padding of
    unlike ends has a word for it, since nothing else shows which end is which.
    """
    found: set[Feature] = {("option", name, _kind(value)) for name, value in draw.options.items()}
    found |= {("option", name, "unlike ends") for name, value in draw.options.items() if _has_unlike_ends(value)}
    groups = draw.options.get("groups", 1)
    for i, a in enumerate(draw.args):
        shape = np.shape(a)
        found.add((i, "absent" if a is None else len(shape), str(getattr(a, "dtype", ""))))
        found |= {(i, axis - (axis >= len(shape) / 2) * len(shape), _size(n)) for axis, n in enumerate(shape)}
        if groups > 1 and shape and shape[-1] % groups == 0:
            found.add((i, "group", _size(shape[-1] // groups)))
    return found


def _has_unlike_ends(value: Any) -> bool:
    """Whether a pair among the entries is of two numbers."""
    pairs = [entry for entry in value if isinstance(entry, tuple)] if isinstance(value, tuple | list) else []
    return any(len(set(pair)) > 1 for pair in pairs)


def _size(n: int) -> str:
    return {0: "empty", 1: "one", 2: "two"}.get(n, "odd" if n % 2 else "even")


def _kind(value: Any) -> Any:
    """A number by its size, a sequence by whether its entries are alike, and what they are like."""
    if isinstance(value, tuple | list):
        return len(set(value)) == 1, frozenset(map(_kind, value))
    return min(value, 3) if isinstance(value, int | float) else value
