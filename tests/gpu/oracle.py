"""The same on the CPU of this process, in float64: what a GPU's results are held against."""

import jax
import numpy as np

from tests.switches import is_float


def on_cpu(function, *arrays, dtype=np.float64):
    """`function(*arrays)` there, by XLA, arrays of floats in `dtype`."""
    with jax.enable_x64(dtype == np.float64), jax.default_device(jax.devices("cpu")[0]):
        given = jax.tree.map(lambda a: np.asarray(a, dtype) if is_float(a) else a, arrays)
        return jax.tree.map(np.asarray, jax.jit(function)(*given))


def off_by(got, expected):
    """The largest difference in any array, in units of its largest entry, or of 1 where that is less."""
    got, expected = jax.tree.leaves(got), jax.tree.leaves(expected)
    assert [a.shape for a in got] == [a.shape for a in expected]
    found = [0.0]
    for g, e in zip(got, expected, strict=True):
        g, e = (np.asarray(a, np.float64) for a in (g, e))
        assert np.isfinite(g).all()
        found.append(float(np.max(np.abs(g - e), initial=0) / max(1.0, np.max(np.abs(e), initial=0))))
    return max(found)
