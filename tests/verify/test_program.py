"""Programs are compiled quickly, and on any XLA."""

import jax
import numpy as np
import pytest

from jaxcnn.verify import program


def test_an_option_that_this_XLA_does_not_have_is_left_out(monkeypatch):
    with_emitters = program.compiler_options()
    monkeypatch.setattr(program, "_EMITTERS", {"xla_cpu_no_such_option": False})
    program.compiler_options.cache_clear()
    try:
        without = program.compiler_options()
        assert [set(options) for options in without] == [{"xla_backend_optimization_level"}] * 2
        run = program.Program(lambda xs: [2 * x for x in xs], np.float64)
        assert run([np.array([1.5])])[0].tolist() == [3.0]
    finally:
        monkeypatch.undo()
        program.compiler_options.cache_clear()
    assert program.compiler_options() == with_emitters


@pytest.mark.parametrize(
    "backend, dtype, told, expected",
    [
        ("gpu", np.float32, None, "float32"),
        ("gpu", None, None, "float32"),
        ("gpu", np.float32, "tensorfloat32", "tensorfloat32"),
        ("cpu", np.float32, None, None),  # where Winograd's algorithm would make way
    ],
)
def test_a_gpu_multiplies_float32_in_all_its_digits(monkeypatch, backend, dtype, told, expected):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    seen = []

    def square(xs):
        seen.append(jax.config.jax_default_matmul_precision)
        return [x @ x for x in xs]

    with jax.default_matmul_precision(told):
        program.Program(square, dtype)([np.ones((2, 2), np.float32)])
    assert seen == [expected]
