"""The checker is itself tested: what is right passes, and each planted fault is found by the check that should."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.verify import Report, check, check_backward

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5)).astype(np.float32)
KERNEL = RNG.standard_normal((5, 3)).astype(np.float32)


def dense(x, kernel):
    return x @ kernel


def right(residuals, dy):
    x, kernel = residuals
    return dy @ kernel.T, x.T @ dy


def relu(x):
    return jnp.where(x > 0, x, 0)


def checks(report: Report) -> set[str]:
    return {failure.check for failure in report.failures}


def the_failure(report, check):
    (failure,) = (f for f in report.failures if f.check == check)
    return failure


@pytest.fixture(scope="module")
def correct():
    return check_backward(dense, right, (X, KERNEL), naive=np.matmul)


def test_a_right_pair_passes_every_check(correct):
    assert correct.ok, str(correct)
    skipped = {c.name for c in correct.checks if c.status == "skipped"}
    assert skipped == {"duplicates", "devices", "tangent"}  # a pair has no forward mode
    assert correct.worst < 0.1


def test_without_a_check_nothing_is_verified():
    assert not Report("nothing", checks=(), failures=()).ok


def test_the_report_says_which_argument_where_and_why():
    def mean_over_the_batch(residuals, dy):
        dx, dkernel = right(residuals, dy)
        return dx, dkernel / len(dy)

    report = check_backward(dense, mean_over_the_batch, (X, KERNEL))
    assert not report.ok
    assert {f.argument for f in report.failures} == {"kernel"}
    assert {"autodiff", "differences", "batch"} <= checks(report)
    failure = the_failure(report, "autodiff")
    assert failure.region == "everywhere"
    assert failure.got == pytest.approx(failure.expected / 4)
    assert failure.shapes == {"x": "float64[4,5]", "kernel": "float64[5,3]"}
    assert "divided by 4" in failure.cause
    text = str(report)
    assert "dense FAILS" in text and "dkernel" in text and "divided by 4" in text

    read = json.loads(report.to_json())
    assert read["ok"] is False
    assert [f["argument"] for f in read["failures"]] == [f.argument for f in report.failures]
    assert [c["name"] for c in read["checks"]] == [c.name for c in report.checks]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda dx, dkernel: dx, "returned a single array; expected a tuple of 2"),
        (lambda dx, dkernel: (dx,), "returned 1 cotangents for 2 arguments"),
        (lambda dx, dkernel: (dx, dkernel.T), r"shape (3, 5), expected (5, 3)"),
        (lambda dx, dkernel: (dx, dkernel.astype(jnp.bfloat16)), "dtype bfloat16, expected float32"),
        (lambda dx, dkernel: (dx, {"kernel": dkernel}), "is a dict; expected an array"),
        (lambda dx, dkernel: (dx, 1 / 0), "raised ZeroDivisionError"),
    ],
    ids=["no-tuple", "number", "shape", "dtype", "tree", "exception"],
)
def test_a_wrong_structure_is_named_and_ends_the_checks(change, message):
    report = check_backward(dense, lambda residuals, dy: change(*right(residuals, dy)), (X, KERNEL))
    (failure,) = report.failures
    assert failure.check == "structure"
    assert message in failure.message
    assert {c.status for c in report.checks[1:]} == {"skipped"}


def _one(report_of, **expected):
    failure = the_failure(report_of, expected.pop("check"))
    assert {name: getattr(failure, name) for name in expected} == expected


def test_a_fault_at_ties_only():
    def split(x, dy):
        hit = x == x.max(-1, keepdims=True)
        return (jnp.where(hit, dy[:, None] / hit.sum(-1, keepdims=True), 0),)

    def plain(x):
        return jnp.take_along_axis(x, x.argmax(-1)[:, None], -1)[:, 0]

    report = check_backward(plain, split, (X,), forward=lambda x: (plain(x), x))
    _one(report, check="autodiff", argument="x", region="tie")
    assert "differences" not in checks(report)


def test_a_fault_at_exact_zeros_only():
    report = check_backward(relu, lambda x, dy: (jnp.where(x >= 0, dy, 0),), (X,), forward=lambda x: (relu(x), x))
    _one(report, check="autodiff", argument="x", region="zero", input="zeros", expected=0.0)


def test_one_wrong_element_and_a_small_factor_are_found_where_they_are():
    def backward(residuals, dy):
        dx, dkernel = right(residuals, dy)
        return dx.at[2, 3].add(1e-3), dkernel * (1 + 4e-4)

    report = check_backward(dense, backward, (X, KERNEL))
    found = {f.argument: f for f in report.failures if f.check == "autodiff"}
    assert found["x"].index == (2, 3) and found["x"].region == "interior"
    assert found["kernel"].region == "everywhere"


def test_a_border_and_a_remainder():
    def plain(x):
        return x[:, : 2 * (x.shape[1] // 2)].reshape(len(x), -1, 2).sum(-1)

    def backward(x, dy, *, leak, border):
        dx = jnp.pad(jnp.repeat(dy, 2, axis=1), ((0, 0), (0, x.shape[1] % 2)))
        return (dx.at[:, -1].add(leak).at[:, 0].multiply(border),)

    for leak, border, region in [(0.5, 1.0, "remainder"), (0.0, 0.0, "border")]:
        report = check_backward(
            lambda x, **static: plain(x),
            backward,
            (X,),
            forward=lambda x, **static: (plain(x), x),
            static={"leak": leak, "border": border},
        )
        _one(report, check="autodiff", region=region, options={"leak": leak, "border": border})


def test_a_corner():
    def backward(residuals, dy):
        dx, dkernel = right(residuals, dy)
        return dx.at[-1, 0].add(1e-3), dkernel

    _one(check_backward(dense, backward, (X, KERNEL), checks=["autodiff"]), check="autodiff", region="corner")


def test_a_fault_in_float32_only():
    def plain(x):
        return jnp.log1p(jnp.exp(x))

    def backward(x, dy):
        wrong = x.dtype == jnp.float32
        return (dy * jax.nn.sigmoid(x) * (1.01 if wrong else 1),)

    report = check_backward(plain, backward, (X,), forward=lambda x: (plain(x), x))
    assert checks(report) == {"float32"}


def test_a_fault_under_vmap_only():
    @jax.custom_batching.custom_vmap
    def pulled(x, dy):
        return dy * jnp.cos(x)

    @pulled.def_vmap
    def _(axis_size, in_batched, x, dy):
        return dy * jnp.cos(x[:1]), True

    report = check_backward(jnp.sin, lambda x, dy: (pulled(x, dy),), (X,), forward=lambda x: (jnp.sin(x), x))
    assert "vmap" in checks(report) and "autodiff" not in checks(report)


def test_a_backward_that_looks_at_values_fails_under_jit_and_is_checked_without():
    def backward(x, dy):
        return (2 * dy * x if np.asarray(x).max() < np.inf else dy,)

    report = check_backward(jnp.square, backward, (X,), forward=lambda x: (jnp.square(x), x))
    assert checks(report) == {"jit"}
    assert "jnp.where" in report.failures[0].message


def test_nan_in_the_gradient_of_finite_inputs():
    def plain(x):
        return jnp.where(x == 0, 0, x)

    report = check_backward(plain, lambda x, dy: (dy * x / x,), (X,), forward=lambda x: (plain(x), x))
    failure = the_failure(report, "finite")
    assert failure.region == "zero" and np.isnan(failure.got)


def test_a_backward_that_ignores_dy():
    report = check_backward(jnp.sin, lambda x, dy: (jnp.cos(x),), (X,), forward=lambda x: (jnp.sin(x), x))
    assert {"autodiff", "zero", "linear"} <= checks(report)


def test_a_wrong_second_derivative_behind_a_right_first():
    def backward(x, dy):
        return (dy * jax.lax.stop_gradient(jnp.cos(x)),)

    report = check_backward(jnp.sin, backward, (X,), forward=lambda x: (jnp.sin(x), x))
    assert checks(report) == {"second order"}


def test_a_forward_that_is_another_function():
    report = check_backward(jnp.sin, lambda x, dy: (dy * jnp.cos(x),), (X,), forward=lambda x: (jnp.sin(x) + 1e-6, x))
    assert checks(report) == {"forward"}


def test_labels_have_no_cotangent():
    labels = np.array([0, 2, 1, 0])

    def plain(x, labels):
        return jnp.take_along_axis(x, labels[:, None], 1)[:, 0]

    def backward(residuals, dy):
        x, labels = residuals
        return jnp.zeros_like(x).at[jnp.arange(len(x)), labels].set(dy), None

    assert check_backward(plain, backward, (X, labels)).ok
    report = check_backward(plain, lambda r, dy: (backward(r, dy)[0], dy), (X, labels))
    assert "labels" in report.failures[0].argument and "return None" in report.failures[0].message


@jax.custom_vjp
def outside(x):
    """A custom_vjp as anybody has one, without jaxcnn."""
    return jnp.tanh(x)


outside.defvjp(lambda x: (jnp.tanh(x), x), lambda x, dy: (dy * (1 - jnp.tanh(x)),))


def test_a_custom_vjp_is_caught_without_a_reference():
    report = check(outside, (X,))
    assert checks(report) == {"differences"}
    assert {c.name for c in report.checks if c.status == "skipped"} == {
        "forward",
        "loops",
        "duplicates",
        "devices",
        "autodiff",
        "transpose",
        "tangent",
        "second order",
    }


def test_a_tree_of_parameters_is_named_leaf_by_leaf():
    params = {"conv": {"kernel": KERNEL, "bias": np.zeros(3, np.float32)}}

    def plain(params, x):
        return x @ params["conv"]["kernel"] + params["conv"]["bias"]

    wrong = jax.custom_vjp(plain)

    def backward(residuals, dy):
        params, x = residuals
        return {"conv": {"kernel": x.T @ dy, "bias": dy[0]}}, dy @ params["conv"]["kernel"].T

    wrong.defvjp(lambda params, x: (plain(params, x), (params, x)), backward)
    report = check(wrong, (params, X), reference=plain)
    assert {f.argument for f in report.failures} == {"params['conv']['bias']"}
    assert "batch" not in checks(report) or the_failure(report, "batch").argument == "params['conv']['bias']"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.arange(3),), "no array of floats"),
        ((np.ones(3, np.complex64),), "x has dtype complex64"),
        ((np.ones(3, np.float32), np.ones(3, np.float32)), "can't be run on args"),
    ],
    ids=["integers", "complex", "number"],
)
def test_bad_arguments_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        check_backward(lambda x: 2 * x, lambda x, dy: (2 * dy,), args)


def test_the_batch_is_found_beside_a_kernel_of_the_same_length():
    square = RNG.standard_normal((4, 3)).astype(np.float32)
    report = check_backward(dense, right, (X[:, :4], square))
    assert next(c for c in report.checks if c.name == "batch").status == "ok"


def test_digits_lost_by_a_forward_that_saturates_are_not_held_against_the_backward():
    """A share of 1 - 1.5e-7 keeps 9 of 16 digits of the difference to 1, whichever way the gradient is written."""
    x = np.array([[2000.0, 1984.3, -900.0, 350.0], [-1700.0, 600.0, 2500.0, 2484.1]])

    def forward(x):
        y = jax.nn.softmax(x)
        return y, y

    def backward(y, dy):
        return (y * (dy - (dy * y).sum(-1, keepdims=True)),)

    report = check_backward(jax.nn.softmax, backward, (x,), forward=forward, checks=("autodiff", "finite"))
    assert report.ok, str(report)


def test_arrays_without_entries_pass_and_what_needs_entries_is_skipped():
    report = check_backward(dense, right, (X[:0], KERNEL[:, :0]), naive=np.matmul)
    assert report.ok, str(report)
    assert "the arguments have no entries" in {c.note for c in report.checks if c.name == "differences"}


def test_an_input_on_which_rounding_decides_is_left_out_and_named():
    """Equal values less their mean are 0 or a rounding error, which decides the gradient when multiplied by 10¹⁶."""

    def amplified(x):
        return jnp.tanh(1e16 * (x - x.mean()))

    report = check(amplified, (X[:2, :3].ravel(),), reference=amplified, checks=("autodiff",))
    assert [c.note for c in report.checks] == ["", "left out, because rounding decides: constant"]


def test_a_fault_at_a_kink_beside_zero_is_found_and_named():
    """max(0, 1 - x) at x = 1, where no scale of the given values leads."""

    def hinge(x):
        return jnp.where(x < 1, 1 - x, 0)

    report = check_backward(hinge, lambda x, dy: (jnp.where(x[0] <= 1, -dy, 0),), (X,), checks=("autodiff",))
    _one(report, check="autodiff", argument="x", region="kink", input="whole", expected=0.0)


def test_a_forward_in_another_dtype_than_the_plain_function_is_told():
    def wide(x):
        return 2 * x.astype(jnp.float32), None

    report = check_backward(lambda x: 2 * x, lambda _, dy: (2 * dy,), (X,), forward=wide)
    message = the_failure(report, "structure").message
    assert message == "the forward returns float32[4, 5], the plain function float64[4, 5]"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: check_backward(dense, right, X), r"args is of type ndarray; expected a tuple.*Write \(x,\)"),
        (lambda: check(relu, X), r"check: args is of type ndarray"),
        (lambda: check_backward(None, right, (X,)), "check_backward: plain is None; expected a function"),
        (lambda: check_backward(dense, None, (X,)), "check_backward: backward is None; expected a function"),
        (lambda: check(3, (X,)), "check: function is 3; expected a function"),
    ],
)
def test_what_is_no_function_or_no_tuple_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
