"""Arrays go through safetensors bit for bit, whatever their dtype, and must fit."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.interop import safetensors

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "float8_e4m3fn", "float8_e5m2"),
)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back_bit_for_bit(dtype):
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(jnp.dtype(dtype))
    tree = {
        "params": {"a": values, "turned": values.T, "scalar": values[0, 0].reshape(())},
        "state": {"no": values[:0]},
    }
    back = safetensors.load(safetensors.dump(tree))
    assert back.keys() == {"params/a", "params/turned", "params/scalar", "state/no"}
    for path, array in safetensors.by_path(tree).items():
        assert back[path].dtype == array.dtype and back[path].shape == array.shape
        assert back[path].tobytes() == array.tobytes()


def test_others_read_what_is_written(tmp_path):
    from safetensors.numpy import load_file

    (tmp_path / "w").write_bytes(safetensors.dump({"params": {"head": {"kernel": jnp.arange(6.0).reshape(2, 3)}}}))
    np.testing.assert_array_equal(load_file(tmp_path / "w")["params/head/kernel"], np.arange(6.0).reshape(2, 3))


def test_a_dtype_that_the_format_lacks_is_named():
    with pytest.raises(ValueError, match="params/a has dtype complex128, which safetensors does not know"):
        safetensors.dump({"params": {"a": np.zeros(2, complex)}})


def test_what_is_no_safetensors_is_refused():
    for data in (b"", b"\x80\x04", safetensors.dump({"a": np.ones(5)})[:-1]):
        with pytest.raises(ValueError, match="it is no safetensors file"):
            safetensors.load(data)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"a": {"k": (2, 3)}}, r"^b: it has the shape \(4,\), and the network none$"),
        ({"a": {"k": (2, 3)}, "b": (4,), "c": (1,)}, r"^c: it has no such array, and the network \(1,\)$"),
        ({"a": {"k": (3, 2)}, "b": (5,)}, r"^a/k: it has the shape \(2, 3\), and the network \(3, 2\)$"),
    ],
)
def test_the_first_array_that_does_not_fit_is_named(like, message):
    described = {k: {"k": np.empty(v["k"])} if isinstance(v, dict) else np.empty(v) for k, v in like.items()}
    with pytest.raises(ValueError, match=message):
        safetensors.fitted({"a/k": np.ones((2, 3)), "b": np.ones(4)}, described)
