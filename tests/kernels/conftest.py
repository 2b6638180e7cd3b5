"""Memory that nobody has written is NaN, so that an entry which a handler forgets shows."""

import ctypes

import pytest

M_PERTURB = -6  # malloc.h
# glibc fills what it hands out with the complement of this number's last byte, unless the number is 0: with 0xFF, of
# which four make a NaN in float32 and two in bfloat16.
NAN = 0x100


@pytest.fixture(scope="module")
def fresh_memory_is_nan():
    """For the tests of a module. False where the C library can't; XLA takes its arrays from malloc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    yield bool(mallopt and mallopt(M_PERTURB, NAN))
    if mallopt:
        mallopt(M_PERTURB, 0)
