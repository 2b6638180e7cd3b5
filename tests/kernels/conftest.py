"""Memory that nobody has written, and tables by which a kernel is taken."""

import ctypes

import jax
import pytest

from jaxcnn.kernels import table
from jaxcnn.kernels.table import KERNELS, Row, Shape, Table

M_PERTURB = -6  # malloc.h
# glibc fills what it hands out with the complement of this number's last byte, unless the number is 0: with 0xFF, of
# which four make a NaN in float32 and two in bfloat16.
NAN = 0x100


@pytest.fixture(scope="module")
def fresh_memory_is_nan():
    """So that an entry which a handler forgets shows, in the tests of a module. False where the C library can't.

    XLA takes its arrays from malloc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    yield bool(mallopt and mallopt(M_PERTURB, NAN))
    if mallopt:
        mallopt(M_PERTURB, 0)


@pytest.fixture
def by_table(monkeypatch, tmp_path):
    """A function of a kernel: from now on it computes, by a table, all that it can."""

    def taken(kernel):
        rates = dict.fromkeys(KERNELS, 1e-9) | {kernel: 1e-12}
        kinds = [
            (name, taps, stride) for name in ("fprop", "dgrad", "wgrad") for taps in (1, 9, 25) for stride in (1, 2)
        ]
        rows = [Row(Shape(*kind, groups=1, pixels=100, inputs=8, outputs=8), rates) for kind in kinds]
        file = tmp_path / "table.json"
        file.write_text(Table(tuple(rows), "").to_json())
        monkeypatch.setenv(table.VARIABLE, str(file))
        afresh()

    def afresh():
        table.table.cache_clear()
        jax.clear_caches()  # what was compiled by another table

    yield taken
    afresh()
