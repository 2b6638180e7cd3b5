"""A wrong cotangent is given its cause: each kind of explanation, and the catalogue's for each rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.fault import pulled_back
from jaxcnn.verify.catalog.faults import of_rule
from jaxcnn.verify.causes import likely_cause

# A rule's arrays (shapes; an array where values matter) and options.
TYPICAL = {
    "conv": (
        [(2, 7, 6, 4), (3, 2, 2, 4), (4,)],
        {"stride": (2, 1), "padding": ((1, 2), (1, 0)), "dilation": (1, 2), "groups": 2},
    ),
    "max_pool": (
        [(2, 6, 5, 3)],
        {"size": (3, 2), "stride": (2, 1), "padding": ((1, 0), (0, 0)), "dilation": (1, 1)},
    ),
    "batch_norm": ([(3, 4, 2), (2,), (2,)], {"epsilon": 0.1}),
    "softmax_cross_entropy": (
        [(4, 3), np.array([[0.5, 0.2, 0.1]] * 4), (3,)],
        {"label_smoothing": 0.1, "ignore_index": None},
    ),
}


def problem(rule, seed=0):
    """arrays, dy, options and the right cotangents; max pooling gets ties."""
    rng = np.random.default_rng(seed)
    shapes, options = TYPICAL[rule]
    arrays = tuple(jnp.asarray(rng.standard_normal(s) if isinstance(s, tuple) else s) for s in shapes)
    if rule == "max_pool":
        arrays = (jnp.round(arrays[0]),)
    y = RULES[rule].plain(*arrays, **options)
    dy = jax.tree.map(lambda y: jnp.asarray(rng.standard_normal(y.shape)), y)
    return arrays, dy, options, pulled_back(RULES[rule].plain, arrays, dy, **options)


def cause(got, expected, argument=0, *, plain=None, args=None, static=None, dy=None, rule=None):
    """likely_cause, where only what matters need be given."""
    args = tuple(expected) if args is None else args
    dy = jnp.ones(2) if dy is None else dy
    plain = plain or (lambda *args: sum(jnp.sum(a) for a in args) * jnp.ones(2))
    return likely_cause(
        got=got, expected=expected, argument=argument, plain=plain, args=args, static=static or {}, dy=dy, rule=rule
    )


STRUCTURAL = ("missing", "none", "dtype")


@pytest.mark.parametrize("rule", TYPICAL)
def test_a_planted_fault_is_called_by_its_cause(rule, x64):
    """Every eighth of the catalogue; where two mistakes give the same numbers here, both are named."""
    arrays, dy, options, right = problem(rule)
    plain, named = RULES[rule].plain, 0
    for fault in [f for f in of_rule(rule) if f.name not in STRUCTURAL][::8]:
        wrong = fault.backward(arrays, dy, **options)
        for argument, (w, r) in enumerate(zip(wrong, right, strict=True)):
            if not np.allclose(w, r, rtol=1e-5, atol=1e-8):
                found = cause(wrong, right, argument, plain=plain, args=arrays, static=options, dy=dy, rule=rule)
                assert fault.cause in (found or ""), (fault.name, argument, found)
                named += 1
    assert named >= 3


A = np.arange(1.0, 25).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("got", "expected", "sentence"),
    [
        ((), (A,), "is missing: 0 cotangents came back for 1 arguments"),
        ((None,), (A,), "is None, although its argument is an array of floats"),
        ((A[0].T,), (A[0],), "has the shape (4, 3) instead of (3, 4) (transposed?)"),
        ((A.reshape(6, 4),), (A,), "has the shape (6, 4) instead of (2, 3, 4)"),
        ((A.astype(np.float32),), (A,), "has the dtype float32 instead of float64"),
        ((np.where(A > 20, np.nan, A),), (A,), "is NaN in 4 of 24 entries where the right one is finite"),
        ((np.where(A > 20, np.inf, A),), (A,), "is infinite in 4 of 24 entries where the right one is finite"),
        ((0 * A,), (A,), "is zero everywhere: what should reach this argument never does"),
        ((-A,), (A,), "has the wrong sign"),
        ((A / 2,), (A,), "is divided by 2, the batch size: a mean where the sum belongs"),
        ((A * 12,), (A,), "is multiplied by 12, the number of entries of an example: a sum where the mean belongs"),
        ((A * 1.0004,), (A,), "is the right one times 1.0004"),
        ((A / 5,), (A,), "is the right one times 1/5"),
        ((A[:, ::-1],), (A,), "is flipped along axis 1"),
        ((A[::-1, :, ::-1],), (A,), "is flipped along axes 0, 2"),
        ((A[::-1, ::-1, ::-1],), (A,), "is flipped along all axes"),
        ((A.swapaxes(1, 2).reshape(A.shape),), (A,), "is transposed: axes 1 and 2 are swapped"),
        ((np.roll(A, 1, 2),), (A,), "is shifted by 1 along axis 2"),
        ((np.where(A == 7, 0, A),), (A,), "is wrong in the single element [0, 1, 2]"),
        ((np.where(np.arange(4) == 3, 0, A),), (A,), "is zero only in the last slice of axis 2"),
        ((np.where(np.arange(3)[:, None] == 1, A + 0.3, A),), (A,), "is wrong only in slice 1 of axis 1"),
        ((A.astype(np.float32) * np.float64(1 + 3e-8),), (A,), None),
    ],
)
def test_generic_causes_without_a_rule(got, expected, sentence, x64):
    rng = np.random.default_rng(0)
    weights = jnp.asarray(rng.standard_normal((2, *A.shape)))  # a forward whose gradient is none of these arrays
    found = cause(got, expected, plain=lambda *a: (weights[:, : len(a[0])] * jnp.ones(1)).sum() * jnp.ones(2))
    if sentence is None:
        assert found == "is right to about 7 digits only: some of it is computed in float32"
    else:
        assert sentence in found


def users_conv(image, taps):
    """A user's own forward, unknown to the catalogue."""
    return jax.lax.conv_general_dilated(
        image, taps, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"), preferred_element_type=image.dtype
    )


@pytest.fixture
def foreign(x64):
    rng = np.random.default_rng(3)
    args = jnp.asarray(rng.standard_normal((3, 5, 4, 2))), jnp.asarray(rng.standard_normal((3, 2, 2, 3)))
    dy = jnp.asarray(rng.standard_normal((3, 3, 3, 3)))
    return args, dy, pulled_back(users_conv, args, dy)


def pull(args, dy):
    return pulled_back(users_conv, args, dy)


FOREIGN = [
    (0, lambda a, dy: pull((a[0], a[1][::-1, ::-1]), dy), "taps flipped along axes 0, 1 (rotated by 180°)"),
    (0, lambda a, dy: pull((a[0], a[1][:, ::-1]), dy), "equals the gradient for taps flipped along axis 1"),
    (1, lambda a, dy: pull((a[0], a[1]), dy.at[1:].set(0)), "is the gradient of the batch's first example only"),
    (1, lambda a, dy: pull(a, jnp.ones_like(dy)), "does not depend on dy: it is what dy = 1 everywhere gives"),
    (1, lambda a, dy: pull((a[0], a[1]), dy[:, ::-1]), "equals the gradient for dy flipped along axis 1"),
    (
        0,
        lambda a, dy: pull((a[0], jnp.ones_like(a[1])), dy),
        "misses the factor taps: it equals the gradient for taps = 1",
    ),
    (1, lambda a, dy: (None, pull(a, dy)[1] / 3), "is divided by 3, the batch size"),
    (0, lambda a, dy: (pull(a, dy)[0].at[:, 0].set(0), None), "is zero only in the first slice of axis 1"),
    (
        0,
        lambda a, dy: (jnp.pad(pull(a, dy)[0][:, 1:-1, 1:-1], ((0, 0), (1, 1), (1, 1), (0, 0))), None),
        "is zero at the border only",
    ),
    (0, lambda a, dy: (pull(a, dy)[0].at[1:].multiply(1.5), None), "is wrong in every example but the first"),
]


@pytest.mark.parametrize(("argument", "wrong", "sentence"), FOREIGN, ids=[s for *_, s in FOREIGN])
def test_a_users_own_function_is_explained_by_its_plain_forward(foreign, argument, wrong, sentence):
    args, dy, right = foreign
    found = cause(wrong(args, dy), right, argument, plain=users_conv, args=args, dy=dy)
    assert sentence in found


def test_in_float32_the_cause_is_found_too(foreign):
    """Cotangents computed in float32 are off by its rounding; the explanation is computed in float64."""
    args, dy, right = foreign
    wrong = pulled_back(users_conv, (args[0], args[1][::-1, ::-1]), dy)
    narrow = [jax.tree.map(lambda a: np.asarray(a, np.float32), t) for t in (wrong, right, args, dy)]
    found = cause(narrow[0], narrow[1], plain=users_conv, args=tuple(narrow[2]), dy=narrow[3])
    assert "rotated by 180°" in found


def test_an_unexplained_error_has_no_cause(foreign):
    args, dy, right = foreign
    noise = np.random.default_rng(9).standard_normal(right[0].shape)
    assert cause((noise, right[1]), right, plain=users_conv, args=args, dy=dy) is None


def test_a_right_cotangent_has_no_cause(foreign):
    args, dy, right = foreign
    assert cause(right, right, plain=users_conv, args=args, dy=dy) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"rule": "no such rule"},
        {"rule": "conv"},
        {"plain": None},
        {"plain": lambda *a: 1 / 0},
        {"dy": "nonsense"},
        {"args": ()},
        {"got": (object(),)},
        {"got": None},
        {"argument": 7},
        {"static": {"window": "wide"}},
    ],
    ids=["no-rule", "another-rule", "no-plain", "plain-raises", "dy", "args", "object", "got", "argument", "static"],
)
def test_whatever_comes_it_does_not_raise(broken, x64):
    given = {
        "got": (A**2,),
        "expected": (A,),
        "argument": 0,
        "plain": jnp.sum,
        "args": (A,),
        "static": {},
        "dy": 1.0,
        "rule": None,
    }
    found = likely_cause(**given | broken)
    assert found is None or isinstance(found, str)
