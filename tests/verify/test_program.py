"""Programs are compiled quickly, and on any XLA."""

import numpy as np

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
