"""Options that are numbers may be Python's, NumPy's or JAX's, alone or in tuples, as long as their value is known."""

import inspect
from itertools import cycle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import ops
from jaxcnn.ops.conv.filters import depthwise
from jaxcnn.ops.geometry import output_size
from jaxcnn.ops.rule import RULES
from tests.ops.cases import CASES
from tests.ops.test_rules import arrays_of

X = np.random.default_rng(0).standard_normal((2, 6, 6, 4)).astype(np.float32)
KERNEL = np.ones((3, 3, 4, 2), np.float32)
NUMERIC = {"float", "int", "PerAxis", "Padding", "PoolPadding", "Scale", "Sequence[int]"}  # as annotations name them


def numeric(rule):
    """The options of a rule that may be numbers, with their defaults."""
    parameters = inspect.signature(RULES[rule]).parameters.values()
    return {p.name: p.default for p in parameters if NUMERIC & set(str(p.annotation).split(" | "))}


def is_numbers(value):
    many = isinstance(value, tuple | list)
    return bool(value) and all(map(is_numbers, value)) if many else isinstance(value, int | float)


def chosen(rule):
    """Cases of a rule, and their options that are numbers; in one of them each of its numeric options is."""
    defaults = {name: value for name, value in numeric(rule).items() if is_numbers(value)}
    missing = set(numeric(rule))
    for case in CASES:
        options = defaults | case.options
        if case.rule == rule and (new := {name for name in missing if is_numbers(options.get(name))}):
            missing -= new
            yield case, {name: options[name] for name in numeric(rule) if is_numbers(options.get(name))}
    assert not missing, f"no case of {rule} has numbers for {missing}"


def leafwise(make):
    def convert(value):
        return type(value)(map(convert, value)) if isinstance(value, tuple | list) else make(value)

    return convert


def in_single(value):
    """A number of Python's that float32 holds."""
    return float(np.float32(value)) if isinstance(value, float) else value


def scalar(value):
    return np.float32(value) if isinstance(value, float) else np.int32(value)


def in_turn():
    """Each number of a tuple is of another kind."""
    kinds = cycle([scalar, lambda v: jnp.asarray(scalar(v)), in_single])
    return leafwise(lambda v: next(kinds)(v))


KINDS = {
    "NumPy's scalars": lambda: leafwise(scalar),
    "arrays of rank 0": lambda: leafwise(lambda v: np.array(scalar(v))),
    "JAX's": lambda: leafwise(lambda v: jnp.asarray(scalar(v))),
    "mixed": in_turn,
    "whole arrays": lambda: lambda value: np.asarray(leafwise(scalar)(value)),
    "JAX's whole arrays": lambda: lambda value: jnp.asarray(leafwise(scalar)(value)),
    "lists": lambda: lambda value: list(value) if isinstance(value, tuple) else value,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_numeric_option_of_every_rule(kind):
    """The rule is applied with the same options, as its program shows."""
    convert = KINDS[kind]()
    for rule in RULES:
        for case, options in chosen(rule):
            options = {name: leafwise(in_single)(value) for name, value in options.items()}
            given = {name: convert(value) for name, value in options.items()}
            assert program(case, given) == program(case, options), case


def program(case, options):
    arrays = arrays_of(case, np.float32)
    traced = [a for a in arrays if isinstance(a, np.ndarray) and a.dtype == np.float32]

    def call(*floats):
        rest = iter(floats)
        full = [next(rest) if isinstance(a, np.ndarray) and a.dtype == np.float32 else a for a in arrays]
        return RULES[case.rule](*full, **case.options | options)

    return str(jax.make_jaxpr(call)(*traced))


BAD = {
    "a bool": True,
    "NumPy's bool": np.True_,
    "JAX's bool": jnp.bool_(True),
    "a string": "2",
    "an array of rank 2": np.ones((2, 2), np.int32),
    "a complex number": 2j,
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_number_is_refused(bad):
    for rule in RULES:
        for case, options in chosen(rule):
            for name in options:
                if name == "padding" and bad == "an array of rank 2":
                    continue  # is padding
                with pytest.raises(ValueError, match=f"(?s){rule}: {name} is .*; expected "):
                    program(case, {name: BAD[bad]})


def test_what_is_traced_is_refused():
    for rule in RULES:
        for case, options in chosen(rule):
            for name in options:
                with pytest.raises(ValueError, match=rf"(?s){rule}: {name} is .*; expected .*traced.*static_argnames"):
                    jax.eval_shape(lambda value, case=case, name=name: program(case, {name: value}), 1)


def test_results_are_the_same():
    pads = np.array([[1, 0], [0, 2]])
    np.testing.assert_array_equal(ops.avg_pool(X, 3, padding=pads), ops.avg_pool(X, 3, padding=((1, 0), (0, 2))))
    ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
    tenth = jnp.float32(0.1)
    np.testing.assert_array_equal(
        ops.group_norm(X, ones, zeros, groups=jnp.int32(2), epsilon=tenth),
        ops.group_norm(X, ones, zeros, groups=2, epsilon=float(tenth)),
    )
    kernel = np.ones((3, 3, 2, 4), np.float32)
    np.testing.assert_array_equal(
        ops.conv_transpose(X, kernel, stride=(np.int32(2), jnp.int32(2)), padding=pads, output_padding=np.int16(1)),
        ops.conv_transpose(X, kernel, stride=2, padding=((1, 0), (0, 2)), output_padding=1),
    )


def test_bfloat16_numbers():
    half = jnp.bfloat16(0.5)
    np.testing.assert_array_equal(ops.leaky_relu(X, slope=half), ops.leaky_relu(X, slope=0.5))
    np.testing.assert_array_equal(ops.leaky_relu(X, slope=np.asarray(half)), ops.leaky_relu(X, slope=0.5))


@pytest.mark.parametrize("wrong", ["none", "tanh", 2, 0.5, None], ids=repr)
def test_a_flag_is_true_or_false(wrong):
    """PyTorch's approximate="none" would count as true."""
    with pytest.raises(ValueError, match=r"^gelu: approximate is .*; expected True or False"):
        ops.gelu(X, approximate=wrong)
    assert ops.gelu(X, approximate=np.True_).shape == X.shape


def test_helpers_take_them_too():
    assert depthwise(np.ones((3, 3)), np.array(2)).shape == (3, 3, 1, 2)
    assert output_size(jnp.int32(7), np.array(3), stride=np.int64(2)) == 3
    with pytest.raises(ValueError, match=r"leaky_relu: slope is .*expected a number"):
        ops.leaky_relu(X, slope=np.array([0.5]))
    with pytest.raises(ValueError, match=r"max_pool: size is .*expected positive ints"):
        ops.max_pool(X, np.array([1.5, 2]))
