"""Window arithmetic against the field's facts, against counting, and against XLA's own output shapes."""

from itertools import product

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxcnn import ops
from jaxcnn.ops.geometry import output_size, resolve_padding, unseen


def test_a_3x3_kernel_on_a_7x7_input():
    assert [output_size(7, 3, stride=s) for s in (1, 2, 3)] == [5, 3, 2]
    assert [unseen(7, 3, stride=s) for s in (1, 2, 3)] == [0, 0, 1]


@pytest.mark.parametrize("window", [1, 3, 5, 7, 11])
def test_same_padding_of_an_odd_kernel_is_half_of_k_minus_1(window):
    half = (window - 1) // 2
    assert resolve_padding("op", "SAME", (32,), (window,), (1,), (1,)) == ((half, half),)
    assert output_size(32, window, padding="SAME") == 32
    assert output_size(32, window, padding=half) == 32


def test_an_even_kernel_gets_the_odd_zero_at_the_end():
    assert resolve_padding("op", "SAME", (7, 7), (2, 4), (1, 1), (1, 1)) == ((0, 1), (1, 2))


SWEEP = [
    (size, window, stride, dilation, padding)
    for size, window, stride, dilation, padding in product(
        (1, 4, 7, 8), (1, 2, 3), (1, 2, 3, 4), (1, 2), ("VALID", "SAME", ((0, 2),), ((3, 1),))
    )
    if padding not in ("VALID",) or (window - 1) * dilation + 1 <= size
]


def test_output_sizes_are_those_of_xla():
    for size, window, stride, dilation, padding in SWEEP:
        pads = padding if isinstance(padding, str) else list(padding)
        if not isinstance(padding, str) and size + sum(padding[0]) < (window - 1) * dilation + 1:
            continue

        def conv(x, kernel, stride=stride, dilation=dilation, pads=pads):
            return lax.conv_general_dilated(
                x, kernel, (stride,), pads, rhs_dilation=(dilation,), dimension_numbers=("NWC", "WIO", "NWC")
            )

        y = jax.eval_shape(
            conv, jax.ShapeDtypeStruct((1, size, 1), jnp.float32), jax.ShapeDtypeStruct((window, 1, 1), jnp.float32)
        )
        got = output_size(size, window, stride=stride, dilation=dilation, padding=padding)
        assert got == y.shape[1], (size, window, stride, dilation, padding)


def test_same_padding_is_that_of_xla():
    for size, window, stride, dilation, _ in SWEEP:
        extent = (window - 1) * dilation + 1
        expected = lax.padtype_to_pads((size,), (extent,), (stride,), "SAME")
        assert resolve_padding("op", "SAME", (size,), (window,), (stride,), (dilation,)) == tuple(expected)


def test_full_padding_lets_every_overlap_count():
    assert output_size(5, 3, padding="FULL") == 5 + 3 - 1
    assert output_size(5, 3, padding="FULL", dilation=2) == 5 + 5 - 1


def test_causal_padding_keeps_the_size_and_shows_no_window_what_comes_later():
    assert resolve_padding("op", "CAUSAL", (9, 5), (3, 2), (1, 1), (2, 1)) == ((4, 0), (1, 0))
    assert output_size(9, 3, padding="CAUSAL", dilation=2) == 9
    x = jnp.arange(1.0, 7.0).reshape(1, 6, 1)
    dx = jax.jacobian(lambda x: ops.conv(x, jnp.ones((3, 1, 1)), padding="CAUSAL", dilation=2).ravel())(x)
    assert (dx.reshape(6, 6) != 0).tolist() == [[q in (p, p - 2, p - 4) for q in range(6)] for p in range(6)]


def test_unseen_counts_what_is_stepped_over_and_what_is_left():
    assert unseen(8, 2, stride=3) == 2  # 2 and 5; the windows are 0-1, 3-4, 6-7
    assert unseen(9, 1, stride=2) == 4
    assert unseen(9, 2, dilation=4, stride=8) == 7
    assert unseen(7, 3, stride=3, padding="SAME") == 0
    assert unseen(5, 3, padding="SAME") == 0
