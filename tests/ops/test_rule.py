"""The rule itself: which backward runs, the registry, and a rule written by a user."""

import inspect
import pydoc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.ops.rule import RULES, override_backward, rule


@pytest.fixture
def cube():
    """y = x³ whose handwritten derivative is wrong on purpose, so that one sees who differentiated."""

    @rule(
        plain=lambda x, *, times: times * x**3,
        forward=lambda x, *, times: (times * x**3, x),
        backward=lambda x, dy, *, times: (-100 * times * dy,),
    )
    def cube(x, *, times=1.0):
        """The door."""
        return cube.apply(jnp.asarray(x), times=times)

    yield cube
    del RULES["cube"]


def test_the_mode_chooses_who_differentiates(cube):
    assert jax.grad(cube)(2.0) == -100
    with jaxcnn.backward("autodiff"):
        assert jax.grad(cube)(2.0) == 12
        with jaxcnn.backward("handwritten"):
            assert jax.grad(cube)(2.0) == -100
        assert jax.grad(cube)(2.0) == 12
    assert jax.grad(cube)(2.0) == -100


def test_jit_never_reuses_the_other_mode(cube):
    derivative = jax.jit(jax.grad(cube))
    assert derivative(2.0) == -100
    with jaxcnn.backward("autodiff"):
        assert derivative(2.0) == 12
    assert derivative(2.0) == -100


def test_the_mode_may_be_chosen_inside_jit(cube):
    @jax.jit
    def both(x):
        handwritten = jax.grad(cube)(x)
        with jaxcnn.backward("autodiff"):
            return handwritten, jax.grad(cube)(x)

    assert both(2.0) == (-100, 12)


def test_forward_mode_is_the_derivative_of_plain_or_the_rules_own_tangent(cube, monkeypatch):
    assert jax.jvp(cube, (2.0,), (1.0,)) == (8, 12)
    with jaxcnn.backward("autodiff"):
        assert jax.jvp(cube, (2.0,), (1.0,)) == (8, 12)
    monkeypatch.setattr(cube, "tangent", lambda arrays, tangents, *, times: 7 * times * tangents[0])
    assert jax.jvp(cube, (2.0,), (1.0,)) == (8, 7)
    assert jax.grad(cube)(2.0) == -100


def twice(x, dy, *, times):
    return (2 * dy,)


def test_a_backward_is_overridden_inside_the_block_alone(cube):
    derivative = jax.jit(jax.grad(cube))
    assert derivative(2.0) == -100
    with override_backward(cube=twice):
        assert derivative(2.0) == jax.grad(cube)(2.0) == 2
        assert jax.grad(lambda x: cube(x, times=3.0))(2.0) == 2
        with jaxcnn.backward("autodiff"):
            assert derivative(2.0) == 2 and jax.grad(jaxcnn.ops.relu)(1.0) == 1
        with override_backward(relu=lambda y, dy: (-dy,)):
            assert derivative(2.0) == 2 and jax.grad(jaxcnn.ops.relu)(1.0) == -1
        _, pull = jax.vjp(cube, 2.0)
        assert jax.jvp(cube, (2.0,), (1.0,))[1] == 12, "forward mode is the derivative"
    assert derivative(2.0) == -100 and pull(1.0) == (2,)


def test_only_a_rule_that_there_is_can_be_overridden():
    with pytest.raises(ValueError, match=r"^override_backward: there is no rule called 'rleu'. Did you mean 'relu'\?"):
        override_backward(rleu=twice)


def test_what_help_and_an_editor_show_is_the_door(cube):
    assert str(inspect.signature(cube)) == "(x, *, times=1.0)"
    assert str(inspect.signature(jaxcnn.ops.dense)) == (
        "(x: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None) -> Array"
    )
    shown = pydoc.plain(pydoc.render_doc(jaxcnn.ops.dense))
    assert "dense(x: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None) -> Array" in shown
    assert "x: a batch (n, in)" in shown


def test_a_notebook_shows_one_signature_and_one_docstring(cube):
    """IPython adds the signature and the docstring of `__call__` where they are others, and the class's docstring."""
    for each in (cube, jaxcnn.ops.dense):
        assert inspect.signature(each.__call__) == inspect.signature(each) and inspect.getdoc(each.__call__) is None
    assert len(inspect.getdoc(jaxcnn.Rule).splitlines()) == 1
    assert str(inspect.signature(jaxcnn.ops.max_pool_with_indices)).startswith("(x: ArrayLike, size: PerAxis, *,")


def test_a_users_rule_has_its_parts_options_and_name(cube):
    assert cube(2.0, times=3.0) == 24
    assert jax.grad(lambda x: cube(x, times=3.0))(2.0) == -300
    assert cube.plain(2.0, times=1.0) == 8
    assert cube.forward(2.0, times=1.0) == (8, 2.0)
    assert cube.backward(2.0, 1.0, times=1.0) == (-100,)
    assert cube.name == "cube" and repr(cube) == "Rule(cube)" and cube.__doc__ == "The door."
    assert RULES["cube"] is cube


def test_a_rule_works_under_vmap(cube):
    np.testing.assert_allclose(jax.vmap(jax.grad(cube))(jnp.arange(3.0)), [-100] * 3)


def test_a_second_rule_of_the_same_name_is_refused(cube):
    with pytest.raises(ValueError, match="'cube' is already registered; choose another name"):

        @rule(cube.plain, cube.forward, cube.backward)
        def cube(x):
            return x

    assert RULES["cube"](2.0) == 8


def test_a_backward_that_returns_no_tuple_is_told_so(cube, monkeypatch):
    monkeypatch.setattr(cube, "backward", lambda residuals, dy, *, times: dy)
    with pytest.raises(TypeError, match=r"cube.backward returned .*; expected a tuple .* \(dx,\) for a single one"):
        jax.grad(cube)(2.0)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"mode is 'numeric'; expected \"handwritten\" or \"autodiff\""):
        jaxcnn.backward("numeric")


def test_every_rule_documents_its_backward():
    for name, each in RULES.items():
        assert each.backward.__doc__ and "cotangent" in each.backward.__doc__, name
        assert each.__doc__ and f"`{name}.backward`" in each.__doc__, name
