"""A rule's door takes all that its space gives; the odd geometries do come out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.spaces import SPACES, Draw, worked_out
from jaxcnn.verify.catalog.windows.faults import remainders

quick = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def draws(name, count=60):
    """What the space gives, the same at every run."""
    drawn = []

    @settings(quick, max_examples=count)
    @given(SPACES[name])
    def collect(draw):
        drawn.append(draw)

    collect()
    return drawn


def is_float(a):
    return a is not None and jnp.issubdtype(a.dtype, jnp.floating)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_the_door_takes_every_draw(name, x64):
    for draw in draws(name, 20):
        floats = [a for a in draw.args if is_float(a)]

        def door(*floats, draw=draw):
            given = iter(floats)
            return RULES[name](*(next(given) if is_float(a) else a for a in draw.args), **draw.options)

        y = jax.tree.leaves(jax.eval_shape(door, *floats))
        assert all(a.dtype == np.float64 and np.isfinite(a).all() for a in floats)
        assert all(out.dtype == np.float64 for out in y), draw
        assert max(a.ndim for a in floats) <= 5
        assert max(s for a in floats for s in a.shape) <= 4**3


@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_draw_worked_out_gives_what_the_door_gives(name, x64):
    draw = draws(name, 3)[-1]
    arrays, options = worked_out(name, draw)
    y = RULES[name](*draw.args, **draw.options)
    plain = RULES[name].plain(*arrays, **options)
    if draw.options.get("layout") == "NCHW":
        plain = jax.tree.map(lambda a: jnp.moveaxis(a, -1, 1) if a.ndim > 2 else a, plain)
    for a, b in zip(jax.tree.leaves(y), jax.tree.leaves(plain), strict=True):
        assert a.size == b.size
        np.testing.assert_allclose(a, b.reshape(a.shape), rtol=1e-12, atol=1e-12)  # some doors flatten x's outer axes
    assert RULES[name].apply.__self__ is RULES[name], "the door is left as it was"


CONV = {
    "height differs from width": lambda sizes, window, o, x: len(set(sizes)) > 1,
    "even kernel": lambda sizes, window, o, x: any(k % 2 == 0 for k in window),
    "stride remainder": lambda sizes, window, o, x: any(remainders(sizes, window, o)),
    "stride > kernel": lambda sizes, window, o, x: any(s > k for s, k in zip(o["stride"], window, strict=True)),
    "asymmetric padding": lambda sizes, window, o, x: any(low != high for low, high in o["padding"]),
    "dilation": lambda sizes, window, o, x: max(o["dilation"]) > 1,
    "groups": lambda sizes, window, o, x: 1 < o["groups"] < x.shape[-1],
    "depthwise": lambda sizes, window, o, x: o["groups"] == x.shape[-1] > 1,
    "batch of one": lambda sizes, window, o, x: len(x) == 1,
    "empty batch": lambda sizes, window, o, x: len(x) == 0,
    "an axis of one": lambda sizes, window, o, x: 1 in sizes and max(sizes) > 1,
    "1-d": lambda sizes, window, o, x: len(sizes) == 1,
    "2-d": lambda sizes, window, o, x: len(sizes) == 2,
    "3-d": lambda sizes, window, o, x: len(sizes) == 3,
}


@pytest.fixture(scope="module")
def conv_draws():
    return draws("conv", 300)


@pytest.fixture(scope="module")
def conv_problems(conv_draws):
    """What the door makes of each draw: shapes and options."""

    def shapes(draw):
        options = {}

        def arrays(*args):
            handed_on, found = worked_out("conv", Draw(args, draw.options))
            options.update(found)
            return handed_on

        return jax.eval_shape(arrays, *draw.args), options

    return list(map(shapes, conv_draws))


@pytest.mark.parametrize("geometry", CONV)
def test_conv_meets(geometry, conv_problems):
    meets = CONV[geometry]
    assert sum(bool(meets(x.shape[1:-1], k.shape[:-2], options, x)) for (x, k, _), options in conv_problems) >= 3


def test_conv_meets_equal_channels_absent_bias_and_channels_first(conv_draws):
    assert any(d.args[1].shape[-2] == d.args[1].shape[-1] > 1 for d in conv_draws)
    assert any(d.args[2] is None for d in conv_draws)
    assert any(d.options.get("layout") == "NCHW" for d in conv_draws)


AT_KINKS = {
    "hinge": lambda scores, labels: scores * labels == 1,
    "l1": lambda prediction, target: prediction == target,
    "huber": lambda prediction, target, delta=1.0: abs(prediction - target) == delta,
    "kl_divergence": lambda log_p, q: q == 0,
}


@pytest.mark.parametrize("name", AT_KINKS)
def test_losses_meet_their_kinks(name):
    assert any(AT_KINKS[name](*draw.args, **draw.options).any() for draw in draws(name, 20))


@pytest.mark.parametrize("name", sorted(SPACES))
def test_the_plainest_draw_is_small(name):
    draw = find(SPACES[name], lambda draw: True, settings=settings(quick, phases=[Phase.generate, Phase.shrink]))
    x = draw.args[0]
    assert "layout" not in draw.options
    assert x.size <= 2, draw
    assert len(x) == (2 if name in ("batch_norm", "weight_standardize") else 1)  # one value has no variance


def test_a_shrunk_failure_is_the_smallest():
    grouped = settings(quick, phases=[Phase.generate, Phase.shrink])
    draw = find(SPACES["conv"], lambda d: d.options.get("groups", 1) > 1, settings=grouped)
    assert draw.options["groups"] == 2
    assert draw.args[0].shape == (1, 1, 2)
    assert draw.options["stride"] == draw.options["dilation"] == 1


def test_values_follow_from_the_seed():
    first, second = draws("conv_dgrad", 20), draws("conv_dgrad", 20)
    assert all(
        np.array_equal(a, b) for p, q in zip(first, second, strict=True) for a, b in zip(p.args, q.args, strict=True)
    )


def test_a_draw_prints_shapes_not_values():
    draw = Draw((np.zeros((2, 3)), None, np.zeros(2, np.int32)), {"axis": 1})
    assert repr(draw) == "Draw(float64[2, 3], None, int32[2]; {'axis': 1})"


def test_a_door_that_skips_its_rule_is_refused():
    skipped = Draw((np.ones((2, 3)), jax.random.key(0)), {"rate": 0})
    with pytest.raises(ValueError, match=r"dropout: its door returned without a call of dropout\.apply"):
        worked_out("dropout", skipped)
