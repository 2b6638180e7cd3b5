"""The comparison of grouped convolutions: both sides compute the same maps, and the table has a row for each."""

import jax
import numpy as np
import pytest

from experiments import grouped_convolution
from jaxcnn.kernels import grouped, xla

SMALL = {"depthwise": (2, 5, 4, 4, 8, 3, 2, 4), "groups": (2, 4, 4, 4, 6, 3, 1, 2)}


@pytest.mark.parametrize("shape", SMALL.values(), ids=SMALL)
def test_both_sides_compute_the_same(shape):
    for build, args in grouped_convolution.maps(shape).values():
        arrays = list(map(jax.numpy.asarray, args))
        np.testing.assert_allclose(build(grouped)(*arrays), build(xla)(*arrays), rtol=0, atol=1e-5)


def test_the_table_has_a_row_for_each_shape_and_map(monkeypatch, capsys):
    monkeypatch.setattr(grouped_convolution, "SHAPES", SMALL)
    monkeypatch.setattr("sys.argv", ["grouped_convolution.py", "--repeats", "1"])
    grouped_convolution.main()
    rows = [line.split("│")[1:3] for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    maps = ["forward", "dx", "dkernel"]
    assert [[cell.strip() for cell in row] for row in rows] == [[name, of] for name in SMALL for of in maps]
