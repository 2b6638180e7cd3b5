"""Where windows lie: padding, output size, and what the stride leaves unseen.

Along one axis of size W, a window of K taps with dilation D spans E = (K - 1) D + 1 positions. With P_lo and
P_hi positions of padding and stride S it is laid at O places, O = floor((W + P_lo + P_hi - E) / S) + 1
(Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", relationship 6, and
section 5.1 for dilation).
"""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, Literal

import jax
import numpy as np
from jax.core import max_dim
from jax.export import is_symbolic_dim

from jaxcnn.ops.arguments import explained

Pair = tuple[int, int]
PerAxis = int | Sequence[int]
PoolPadding = Literal["VALID", "SAME", "FULL"] | int | Sequence[Sequence[int]]
Padding = PoolPadding | Literal["CAUSAL"]


def extent(window: int, dilation: int = 1) -> int:
    """Positions that a window of `window` taps spans, E = (K - 1) D + 1."""
    return (window - 1) * dilation + 1


@explained
def output_size(size: int, window: int, *, stride: int = 1, padding: Padding = 0, dilation: int = 1) -> int:
    """Number of windows along one axis, O = floor((W + P_lo + P_hi - E) / S) + 1.

    Raises ValueError if the window is larger than the padded axis, and for sizes or options that are not positive ints.

    >>> [output_size(7, 3, stride=s) for s in (1, 2, 3)]
    [5, 3, 2]
    """
    named = {"window": window, "stride": stride, "dilation": dilation}
    window, stride, dilation = (count("output_size", *each) for each in named.items())
    length: Any = size if is_symbolic_dim(size) else count("output_size", "size", size)  # or left open
    ((low, high),) = resolve_padding("output_size", padding, (length,), (window,), (stride,), (dilation,))
    return (length + low + high - extent(window, dilation)) // stride + 1


@explained
def unseen(size: int, window: int, *, stride: int = 1, padding: Padding = 0, dilation: int = 1) -> int:
    """Number of positions of the axis that no window touches: left over at the end, or stepped over.

    >>> unseen(7, 3, stride=3)
    1
    """
    ((low, high),) = resolve_padding("unseen", padding, (size,), (window,), (stride,), (dilation,))
    places = output_size(size, window, stride=stride, padding=((low, high),), dilation=dilation)
    seen = {o * stride - low + k * dilation for o in range(places) for k in range(window)}
    return size - len(seen & set(range(size)))


def per_axis(op: str, argument: str, value: PerAxis, axes: int) -> tuple[int, ...]:
    """One positive int for each spatial axis, from an int for all of them or a sequence.

    Raises ValueError where a value is not a positive int, or their number is not `axes`.
    """
    numbers = known(value)
    given = numbers if isinstance(numbers, tuple) else (numbers,) * axes
    if not all(is_whole(v) and v >= 1 for v in given):
        raise wrong(op, argument, value, "positive ints, 1 or more")
    if len(given) != axes:
        raise ValueError(
            f"{op}: {argument} is {value!r}, {len(given)} values for {axes} spatial axes; "
            f"give one int for all axes or {axes} of them."
        )
    return tuple(map(int, given))


def known(value: Any) -> Any:
    """Numbers and arrays of NumPy's or JAX's as numbers and tuples of Python's, where they are known."""
    if isinstance(value, tuple | list):
        return tuple(map(known, value))
    array = isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer)
    return known(value.tolist()) if array else value


def whole(op: str, argument: str, value: Any, expected: str, fits: Callable[[int], bool] = lambda _: True) -> int:
    """`value` as an int of Python's; ValueError unless it is an integer of Python, NumPy or JAX, and fits."""
    if not is_whole(known(value)) or not fits(known(value)):
        raise wrong(op, argument, value, expected)
    return int(known(value))


def count(op: str, argument: str, value: Any) -> int:
    """`value` as an int; ValueError unless it is one of 1 or more."""
    return whole(op, argument, value, "positive ints, 1 or more", lambda v: v >= 1)


def is_whole(value: Any) -> bool:
    """Whether `value` is an integer, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def wrong(op: str, argument: str, value: Any, expected: str) -> ValueError:
    """The error for an option that is not as expected."""
    traced = any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves(value))
    hint = " It is traced, so its value is not known: under jax.jit name it in static_argnames." if traced else ""
    return ValueError(f"{op}: {argument} is {value!r}; expected {expected}.{hint}")


def resolve_padding(
    op: str,
    padding: Padding,
    sizes: Sequence[int],
    windows: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[Pair, ...]:
    """`padding_pairs`, and a check that a window fits: ValueError for one larger than the padded axis."""
    extents = tuple(map(extent, windows, dilations))
    pairs = padding_pairs(op, padding, sizes, extents, strides)
    for axis, (w, e, (low, high)) in enumerate(zip(sizes, extents, pairs, strict=True)):
        if w < 1:
            raise ValueError(f"{op}: x has spatial sizes {tuple(sizes)}; every axis must be 1 or longer.")
        if w + low + high < e:
            raise ValueError(
                f"{op}: the window spans {e} along spatial axis {axis}, more than the {w + low + high} that "
                f"x has there (size {w} + padding {low} + {high}), so the output would be empty. "
                'Use a smaller window or more padding, such as padding="SAME".'
            )
    return pairs


def padding_pairs(
    op: str,
    padding: Padding,
    sizes: Sequence[int],
    extents: Sequence[int],
    strides: Sequence[int],
    names: Sequence[str] = ("VALID", "SAME", "FULL", "CAUSAL"),
) -> tuple[Pair, ...]:
    """Turn `padding` into a (low, high) pair for each spatial axis; ValueError for anything else.

    "VALID" pads nothing. "SAME" makes the output ceil(W / S) long, the odd one at the high end, as TensorFlow
    and XLA do; for odd K and stride 1 that is (K - 1) / 2 at both ends. "FULL" pads E - 1 at both ends, so that
    every window that touches the input counts. "CAUSAL" pads E - 1 at the low end, so that no window reaches beyond
    its own place (van den Oord et al. 2016, "WaveNet"; Flax's name, there for one axis). An int pads every end alike.
    `names` are those of the four that the operation takes.
    """
    if isinstance(padding, str) and padding in names:
        return tuple(_named(padding, *axis) for axis in zip(sizes, extents, strides, strict=True))
    return tuple(explicit_padding(op, padding, len(sizes), names))


def _named(padding: str, size: int, span: int, stride: int) -> Pair:
    if padding == "SAME":
        total = max_dim((-(-size // stride) - 1) * stride + span - size, 0)  # that of a size which is open, too
        return total // 2, total - total // 2
    return {"VALID": (0, 0), "FULL": (span - 1, span - 1), "CAUSAL": (span - 1, 0)}[padding]


def explicit_padding(
    op: str, padding: Any, axes: int, names: Sequence[str] = (), *, cropping: bool = False
) -> list[Pair]:
    """A (low, high) pair for each axis from an int or pairs, below 0 only where that crops; ValueError otherwise.

    `names` are the words that this operation takes besides, for the error's text.
    """
    example = ", ".join(["(1, 1)"] * axes) + ("," if axes == 1 else "")
    words = "".join(f'"{name}", ' for name in names)
    expected = (
        f"{words}an int{'' if cropping else ' of 0 or more'}, or a (low, high) pair for each of the {axes} spatial "
        f"axes, such as ({example})"
    )
    given = known(padding)
    try:
        pairs = [(given, given)] * axes if is_whole(given) else [(low, high) for low, high in given]
    except (TypeError, ValueError):
        raise wrong(op, "padding", padding, expected) from None
    if len(pairs) != axes or not all(_is_end(end, cropping) for pair in pairs for end in pair):
        raise wrong(op, "padding", padding, expected)
    return pairs


def _is_end(end: Any, cropping: bool) -> bool:
    """Whether an end can be padded by that; of a size that `jax.export` leaves open it may be an expression."""
    return is_symbolic_dim(end) or (is_whole(end) and (cropping or end >= 0))
