"""`jax.export` may leave the sizes of images open: height and width are expressions then, and no numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxcnn import ops
from jaxcnn.ops.rule import RULES
from tests.ops.cases import CASES
from tests.ops.test_rules import arrays_of
from tests.switches import cotangent, floats

TABLES = {"unfold", "adaptive_avg_pool", "adaptive_max_pool", "resize_nearest", "resize_bilinear", "resize_bicubic"}
MATCHING = {"conv_wgrad", "max_unpool", "pixel_unshuffle"}  # sizes that must be those of another array, or even
OF_ONE_IMAGE = [case for case in CASES if next(iter(RULES[case.rule].__signature__.parameters)) == "x"]
IMAGES = {case.rule: case for case in reversed(OF_ONE_IMAGE) if arrays_of(case)[0].ndim == 4}


def opened(shape, layout="NHWC"):
    names = export.symbolic_shape("h, w", constraints=["h >= 8", "w >= 8"])
    return (*shape[:2], *names) if layout == "NCHW" else (shape[0], *names, shape[-1])


@pytest.mark.parametrize("case", [case for case in IMAGES.values() if case.rule not in MATCHING], ids=str)
def test_height_and_width_may_be_left_open(case):
    x, *rest = arrays_of(case, np.float32)
    described = jax.ShapeDtypeStruct(opened(x.shape, case.options.get("layout", "NHWC")), x.dtype)

    def rule(x):
        return RULES[case.rule](x, *rest, **case.options)

    def modes(x):
        y, pull = jax.vjp(rule, x)
        return y, pull(cotangent(y)), floats(jax.jvp(rule, (x,), (x,))[1])

    if case.rule in TABLES:
        with pytest.raises(ValueError, match=rf"{case.rule}: x has spatial sizes \(h, w\); expected numbers"):
            export.export(jax.jit(modes))(described)
    else:
        assert export.export(jax.jit(modes))(described).in_avals[0].shape == described.shape


KERNEL = np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype(np.float32)
CONVOLUTIONS = {
    "stride": {"stride": 2},
    "asymmetric": {"stride": 3, "padding": ((2, 0), (0, 1)), "dilation": (1, 2)},
    "full": {"stride": 2, "padding": "FULL"},
}
OPERATIONS = {
    **{f"conv {n}": lambda x, o=o: ops.conv(x, KERNEL, **o) for n, o in CONVOLUTIONS.items()},
    "conv grouped": lambda x: ops.conv(x, KERNEL[:, :, :1], stride=2, groups=3),
    "conv of one tap": lambda x: ops.conv(x, KERNEL[:1, :1], stride=(3, 2)),
    "conv_transpose": lambda x: ops.conv_transpose(x, KERNEL, stride=2, padding=1, output_padding=1),
    "max_pool": lambda x: ops.max_pool(x, 3, stride=2, padding="SAME"),
    "max_pool ceil": lambda x: ops.max_pool(x, 3, stride=2, padding=1, dilation=2, ceil_mode=True),
    "max_pool of many taps": lambda x: ops.max_pool(x, (40, 2), stride=(1, 2), padding=((20, 19), (0, 1))),
    "avg_pool": lambda x: ops.avg_pool(x, 3, stride=2, padding="SAME"),
    "avg_pool ceil": lambda x: ops.avg_pool(x, 2, stride=3, padding=1, ceil_mode=True, count_padding=True),
    "avg_pool of many taps": lambda x: ops.avg_pool(x, 40, stride=5, padding=20),
    "max_pool_with_indices": lambda x: ops.max_pool_with_indices(x, 2, padding=1)[0],
    "pad circular": lambda x: ops.pad(x, ((3, -1), (0, 2)), mode="circular"),
    "pad reflect": lambda x: ops.pad(x, ((3, -1), (0, 2)), mode="reflect"),
}


def test_the_program_gives_the_numbers_that_fixed_sizes_give():
    @jax.jit
    def of_all(x):
        def both(op):
            y, pull = jax.vjp(op, x)
            return y, pull(jnp.cos(y))[0]

        return {name: both(op) for name, op in OPERATIONS.items()}

    exported = export.export(of_all)(jax.ShapeDtypeStruct(opened((2, 0, 0, 3)), np.float32))
    x = np.random.default_rng(1).standard_normal((2, 11, 9, 3)).astype(np.float32)
    found, expected = exported.call(x), of_all(x)
    for name in OPERATIONS:
        for got, wanted in zip(found[name], expected[name], strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-5 * max(1, np.abs(wanted).max()), err_msg=name)


def test_open_sizes_that_are_even():
    x = jax.ShapeDtypeStruct((2, *export.symbolic_shape("2*h, 2*w"), 3), np.float32)
    assert export.export(jax.jit(lambda x: ops.pixel_unshuffle(x, 2)))(x).out_avals[0].shape[3] == 12


def test_padding_that_may_be_a_whole_window_is_refused():
    x = jax.ShapeDtypeStruct(opened((2, 0, 0, 3)), np.float32)
    with pytest.raises(ValueError, match=r"max_pool: along spatial axis 0 a window may lie wholly in the padding"):
        export.export(jax.jit(lambda x: ops.max_pool(x, 2, padding=2)))(x)
