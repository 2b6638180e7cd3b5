"""Sizes, strides and rates are numbers of Python's, NumPy's or JAX's, as long as their value is known."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import ops
from jaxcnn.ops.rule import RULES, Rule
from tests.ops.cases import CASES, FIRST
from tests.ops.test_rules import arrays_of

X = np.random.default_rng(0).standard_normal((2, 6, 6, 4)).astype(np.float32)
KERNEL = np.ones((3, 3, 4, 2), np.float32)


@pytest.mark.parametrize("two", [np.array([2, 2]), jnp.array([2, 2]), np.int32(2), jnp.int32(2), np.array(2)], ids=repr)
def test_a_stride_and_a_size(two):
    np.testing.assert_array_equal(ops.conv(X, KERNEL, stride=two), ops.conv(X, KERNEL, stride=2))
    np.testing.assert_array_equal(ops.max_pool(X, two), ops.max_pool(X, 2))
    pads = np.array([[1, 0], [0, 2]])
    np.testing.assert_array_equal(ops.avg_pool(X, 3, padding=pads), ops.avg_pool(X, 3, padding=((1, 0), (0, 2))))


@pytest.mark.parametrize("two", [np.int32(2), jnp.int32(2), np.array(2)], ids=repr)
def test_groups(two):
    halves = KERNEL[:, :, :2]
    np.testing.assert_array_equal(ops.conv(X, halves, groups=two), ops.conv(X, halves, groups=2))
    ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
    np.testing.assert_array_equal(ops.group_norm(X, ones, zeros, groups=two), ops.group_norm(X, ones, zeros, groups=2))


@pytest.mark.parametrize("half", [np.float32(0.5), jnp.float32(0.5), np.array(0.5)], ids=repr)
def test_a_rate_and_a_slope(half):
    key = jax.random.key(0)
    np.testing.assert_array_equal(ops.dropout(X, key, rate=half), ops.dropout(X, key, rate=0.5))
    np.testing.assert_array_equal(ops.leaky_relu(X, slope=half), ops.leaky_relu(X, slope=0.5))
    np.testing.assert_array_equal(ops.elu(X, alpha=half), ops.elu(X, alpha=0.5))


class Reached(Exception):
    """What a door gives its rule."""


def reached(case, options):
    """The options that the case's door works out of these, while it is traced."""
    with pytest.raises(Reached) as stopped:
        jax.eval_shape(lambda: RULES[case.rule](*arrays_of(case, np.float32), **options))
    return repr(stopped.value.args[0])


def kinds_of_numbers(value):
    """The same value as NumPy's and JAX's numbers, arrays, and lists of them."""
    array = np.asarray(value)
    yield from (array, jnp.asarray(array))
    yield list(array) if array.ndim else array[()]
    if array.ndim:
        yield tuple(jnp.asarray(array))


def options_of(rule):
    """(case, option, value): the first case that sets it, or else the default."""
    door = inspect.signature(RULES[rule]).parameters.values()
    found = {p.name: (FIRST[rule], p.default) for p in door if p.kind is p.KEYWORD_ONLY}
    for case in reversed(CASES):
        if case.rule == rule:
            found |= {option: (case, value) for option, value in case.options.items()}
    return [(case, option, value) for option, (case, value) in found.items()]


@pytest.mark.parametrize("name", RULES)
def test_every_option_of_every_rule_takes_all_kinds_of_numbers(name, monkeypatch, x64):
    """Under jit, too, where JAX would trace what is done with a number of its own."""

    def stop(rule, *arrays, **options):
        raise Reached(options)

    monkeypatch.setattr(Rule, "apply", stop)
    for case, option, value in options_of(name):
        if isinstance(value, int | float | tuple | list):
            expected = reached(case, case.options | {option: value})
            for given in kinds_of_numbers(value):
                assert reached(case, case.options | {option: given}) == expected, (case, option, given)


@pytest.mark.parametrize("wrong", ["none", "tanh", 2, 0.5, None], ids=repr)
def test_a_flag_is_true_or_false(wrong):
    """PyTorch's approximate="none" would count as true."""
    with pytest.raises(ValueError, match=r"^gelu: approximate is .*; expected True or False"):
        ops.gelu(X, approximate=wrong)
    assert ops.gelu(X, approximate=np.True_).shape == X.shape


def test_what_is_not_known_or_no_number_is_refused():
    with pytest.raises(ValueError, match=r"leaky_relu: slope is .*expected a number"):
        jax.jit(lambda slope: ops.leaky_relu(X, slope=slope))(0.5)
    with pytest.raises(ValueError, match=r"conv: stride is .*expected positive ints"):
        jax.jit(lambda stride: ops.conv(X, KERNEL, stride=stride))(2)
    with pytest.raises(ValueError, match=r"leaky_relu: slope is .*expected a number"):
        ops.leaky_relu(X, slope=np.array([0.5]))
    with pytest.raises(ValueError, match=r"max_pool: size is .*expected positive ints"):
        ops.max_pool(X, np.array([1.5, 2]))
    for none in (2.5, "1", None, False, (0, 1.5), b"00"):
        with pytest.raises(ValueError, match=r"conv_transpose: output_padding is .*expected an int, or one for each"):
            ops.conv_transpose(X, np.ones((3, 3, 2, 4), np.float32), stride=2, output_padding=none)
    with pytest.raises(ValueError, match=r"max_pool: size is b'22'; expected positive ints"):
        ops.max_pool(X, b"22")
    with pytest.raises(ValueError, match=r"local_response_norm: size is \(2,\); expected positive ints"):
        ops.local_response_norm(X, [2])
