"""That the handlers' tests would see an entry which is not written: a handler that writes nothing gives NaN alone."""

import ctypes

import jax
import jax.numpy as jnp
import numpy as np
import pytest


# As in xla/ffi/api/c_api.h, as far as it is needed.
class Version(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
    ]


class Metadata(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("version", Version)]


class Extension(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("metadata", ctypes.POINTER(Metadata)),
    ]


class CallFrame(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("extension", ctypes.POINTER(Extension))]


METADATA = 1


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(CallFrame))
def write_nothing(frame):
    """A handler; when it is registered it is asked for its version."""
    extension = frame.contents.extension
    if extension and extension.contents.type == METADATA:
        version = extension.contents.metadata.contents.version
        version.major, version.minor = 0, 1
    return None


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(3,), (64, 5), (40, 50, 60)], ids=str)
def test_an_array_that_is_not_written_is_nan(shape, dtype, fresh_memory_is_nan):
    if not fresh_memory_is_nan:
        pytest.skip("this C library can't fill the memory that it hands out")
    jax.ffi.register_ffi_target("jaxcnn_write_nothing", jax.ffi.pycapsule(write_nothing), platform="cpu")
    result = jax.ShapeDtypeStruct(shape, dtype)
    compute = jax.jit(lambda: jax.ffi.ffi_call("jaxcnn_write_nothing", result)())
    for _ in range(3):  # the second takes memory that the first gave back
        got = np.asarray(compute(), np.float32)
        assert got.shape == shape and np.isnan(got).all()
