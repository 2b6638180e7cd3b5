"""The XLA kernels, where the rules' own cases can't go."""

import jax
import numpy as np
import pytest

from jaxcnn.kernels import xla
from jaxcnn.verify.catalog.naive import NAIVE


@pytest.mark.parametrize(
    "sizes, window, stride",
    [((4, 1), (2, 3), (2, 1)), ((1, 4), (3, 2), (1, 2)), ((6, 1, 2), (2, 3, 1), (2, 1, 1))],
    ids=str,
)
def test_dgrad_of_fewer_outputs_than_taps(sizes, window, stride):
    """XLA ends the process on these (jaxlib 0.10.2, CPU) when it is given dy as it is, as jax.grad does."""
    options = {"stride": stride, "padding": ((1, 1),) * len(sizes), "dilation": (1,) * len(sizes)}
    rng = np.random.default_rng(0)
    out = [(w + 2 - k) // s + 1 for w, k, s in zip(sizes, window, stride, strict=True)]
    dy = rng.standard_normal((2, *out, 4)).astype(np.float32)
    kernel = rng.standard_normal((*window, 3, 4)).astype(np.float32)
    expected = NAIVE["conv_dgrad"](dy, kernel, sizes, **options)
    got = xla.dgrad(dy, kernel, sizes, xla.Options(**options, groups=1))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_nothing_is_cropped_by_negative_padding():
    """A convolution of XLA with such reads memory that nobody has written (jaxlib 0.10.2, CPU)."""
    shallow = xla.Options(stride=(1,), padding=((2, 0),), dilation=(1,), groups=1)
    remainder = xla.Options(stride=(2,), padding=((0, 0),), dilation=(1,), groups=1)
    dy, x, kernel = np.ones((2, 2, 4), np.float32), np.ones((2, 6, 3), np.float32), np.ones((2, 3, 4), np.float32)
    for compute in (
        lambda: xla.dgrad(dy, kernel, (1,), shallow),
        lambda: xla.wgrad(x, np.ones((2, 2, 4), np.float32), (3,), remainder),
    ):
        equations = jax.make_jaxpr(compute)().jaxpr.eqns
        (convolution,) = (e for e in equations if e.primitive.name == "conv_general_dilated")
        assert min(map(min, convolution.params["padding"])) >= 0
        assert min(min(edge) for e in equations if e.primitive.name == "pad" for edge in e.params["padding_config"]) < 0
