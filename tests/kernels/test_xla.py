"""The XLA kernels, where the rules' own cases can't go."""

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
