"""Operations as they are timed: every pass computes what it should, here and in PyTorch; the work is counted right."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.bench import peers
from jaxcnn.bench.op_contests import op_contest
from jaxcnn.bench.ops import CASES, Case, passes
from jaxcnn.ops import backward


def tiny(case):
    """The same operation and options on small arrays."""
    groups = case.options.get("groups", 1)
    if case.op == "conv":
        window, depthwise = case.shapes[1][0], groups == case.shapes[0][-1]
        options = case.options | {"groups": 4 if depthwise or groups > 1 else 1}
        cin = 4 if options["groups"] > 1 else 3
        return dataclasses.replace(
            case, shapes=((2, 9, 8, cin), (window, window, cin // options["groups"], 8)), options=options
        )
    small = {"dense": ((3, 5), (5, 4)), "batch_norm": ((2, 4, 3, 5), (5,), (5,))}
    return dataclasses.replace(case, shapes=small.get(case.op, ((2, 8, 6, 3),)))


TINY = {case.name: tiny(case) for case in CASES}


@pytest.mark.parametrize("name", TINY)
def test_every_pass_is_that_of_jax_vjp(name):
    case = TINY[name]
    arrays, dy = case.arrays(jnp.float32)
    calls = passes(case, arrays, dy)
    with backward("autodiff"):
        y, pull = jax.vjp(case.function, *arrays)
    np.testing.assert_allclose(calls["forward"]()[0], y, rtol=1e-4, atol=1e-5)
    cotangents = pull(dy)
    for part, wanted in case.parts.items():
        for got, i in zip(calls[part](), wanted, strict=True):
            np.testing.assert_allclose(got, cotangents[i], rtol=1e-4, atol=1e-4)
    assert sorted(i for wanted in case.parts.values() for i in wanted) == list(range(len(arrays))), "none is left out"


@pytest.mark.parametrize(
    "op, shapes, kept",
    [
        ("conv", ((2, 6, 6, 3), (3, 3, 3, 4)), []),
        ("relu", ((2, 6, 6, 3),), []),
        ("batch_norm", ((2, 6, 6, 3), (3,), (3,)), [(3,), (3,)]),
        ("max_pool", ((2, 6, 6, 3),), [(2, 6, 3, 3), (2, 3, 3, 3)]),
    ],
)
def test_a_forward_returns_what_it_keeps_but_no_copy_of_an_argument_or_y(op, shapes, kept):
    case = Case(op, op, shapes, {"size": 2} if op == "max_pool" else {})
    _, found = passes(case, *case.arrays(jnp.float32))["forward"]()
    assert sorted(a.shape for a in found if a.size) == sorted(kept)


@pytest.mark.skipif(not peers.installed("torch"), reason="PyTorch is not installed")
@pytest.mark.parametrize("name", TINY)
def test_pytorch_computes_the_same(name):
    rows = {row.by: row for row in op_contest(TINY[name], ["float32"], ["torch"]).hold(1, {})}
    assert not rows["PyTorch"].refused
    assert rows["PyTorch"].difference < 1e-5
    assert set(rows["PyTorch"].timings) == {"forward", *TINY[name].parts} == set(rows["jaxcnn"].timings)


def test_every_precision_gets_the_same_values():
    case = CASES[0]
    for wide, narrow in zip(*(case.arrays(dtype)[0] for dtype in (jnp.float32, jnp.bfloat16)), strict=True):
        assert (wide.dtype, narrow.dtype) == (jnp.float32, jnp.bfloat16)
        np.testing.assert_array_equal(wide, narrow.astype(jnp.float32))


def test_the_work_of_a_convolution_is_two_for_each_output_and_tap():
    case = Case("c", "conv", ((2, 6, 6, 4), (3, 3, 2, 8)), {"stride": 2, "groups": 2}, {"dx": (0,), "dkernel": (1,)})
    each = 2 * (2 * 3 * 3 * 8) * (3 * 3 * 2)
    assert case.work(4) == {"forward": each, "dx": each, "dkernel": each}
    assert case.multiplies


def test_the_work_of_others_is_the_bytes_that_pass_through_memory():
    case = Case("r", "max_pool", ((2, 4, 4, 3),), {"size": 2})
    x, y = 2 * 4 * 4 * 3, 2 * 2 * 2 * 3
    assert case.work(4) == {"forward": 4 * (x + y), "dx": 4 * (x + y + x)}
    assert case.work(2) == {"forward": 2 * (x + y), "dx": 2 * (x + y + x)}
    assert not case.multiplies


def test_a_gpu_is_waited_for_once_in_a_sample(monkeypatch):
    """Its operations take less time than a call and its wait."""
    waits = {}
    for backend in ("cpu", "gpu"):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        run = op_contest(tiny(CASES[0]), ["float32"], []).entrants[0].prepare().runs["forward"]
        waits[backend] = run.wait is jax.block_until_ready
    assert waits == {"cpu": False, "gpu": True}
