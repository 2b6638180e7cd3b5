"""Wrong only where tests seldom look: repeated indices, incomplete tiles, two devices, inputs that are not normal."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops.rule import RULES
from jaxcnn.verify import check, check_backward
from jaxcnn.verify.catalog.faults import of_rule
from jaxcnn.verify.catalog.spaces import Draw
from jaxcnn.verify.search import Search
from jaxcnn.verify.stretch import MOST, stretched

X = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)


def ruled(forward, backward):
    rule = jax.custom_vjp(forward)
    rule.defvjp(lambda *args: (forward(*args), args), backward)
    return rule


def note(report, name):
    (found,) = (c for c in report.checks if c.name == name)
    return found.status, found.note


# Indices that repeat.


def rows(x, indices):
    return x[indices]


def overwriting(args, dy):
    return jnp.zeros_like(args[0]).at[args[1]].set(dy), None


def adding(args, dy):
    return jnp.zeros_like(args[0]).at[args[1]].add(dy), None


@pytest.mark.parametrize("reference", [rows, None], ids=["reference", "none"])
def test_a_scatter_that_overwrites_is_found_although_the_given_indices_are_all_different(reference):
    indices = np.array([2, 0, 3, 1])
    report = check(ruled(rows, overwriting), (X, indices), reference=reference)
    assert {(f.check, f.argument) for f in report.failures} == {("duplicates", "x")}
    right = check(ruled(rows, adding), (X, indices), reference=reference)
    assert right.ok and note(right, "duplicates")[0] == "ok"


def test_what_has_no_indices_or_repeats_them_already_is_told():
    key = jax.random.PRNGKey(0)  # two integers that are no indices
    report = check(lambda x, key: x * jax.random.normal(key, x.shape, x.dtype), (X, key), checks=["duplicates"])
    assert note(report, "duplicates") == ("skipped", "no argument is an array of integers")
    report = check(rows, (X, np.array([1, 1, 2])), checks=["duplicates"])
    assert note(report, "duplicates") == ("skipped", "the integers that were given repeat")


# Inputs that are not normal.


@pytest.mark.parametrize(
    ("kind", "is_hit"),
    [
        ("offset", lambda x: (x.std() > 0) & (abs(x.mean()) > 100 * x.std())),
        ("subnormal", lambda x: (x != 0) & (abs(x) < 1e-38)),
    ],
)
def test_a_slope_that_is_wrong_for_such_inputs_only_is_found(kind, is_hit):
    def backward(x, dy):
        return (jnp.where(is_hit(x), 1.01, 1) * dy * jnp.cos(x),)

    report = check_backward(jnp.sin, backward, (X,), forward=lambda x: (jnp.sin(x), x))
    assert {(f.check, f.input) for f in report.failures} >= {("autodiff", kind)}
    assert {f.input for f in report.failures} == {kind}


# Sizes.


def test_axes_grow_with_those_that_must():
    x, kernel, bias = np.ones((2, 4, 3, 3)), np.ones((2, 2, 3, 2)), np.ones(2)
    grown = stretched("conv", Draw((x, kernel, bias), {"stride": 2}))
    assert [a.shape for a in grown.args] == [(6, 5, 5, 17), (2, 2, 17, 2), (2,)]
    assert grown.options == {"stride": 2}
    grown = stretched("group_norm", Draw((np.ones((2, 3, 4)), np.ones(4), np.ones(4)), {"groups": 2}))
    assert [a.shape for a in grown.args] == [(6, 5, 18), (18,), (18,)]
    grown = stretched("relu", Draw((np.ones((5, 5)),)))  # a length that other axes grow to
    assert grown.args[0].shape == (6, 17)


def test_labels_keep_their_values_and_a_key_its_two_numbers():
    draw = Draw((np.ones((2, 3)), np.array([2, 0]), None))
    grown = stretched("softmax_cross_entropy", draw)
    assert grown.args[0].shape == (6, 17) and grown.args[1].tolist() == [2, 0, 2, 0, 2, 0]
    grown = stretched("dropout", Draw((np.ones((2, 2)), np.array([1, 2], np.uint32)), {"rate": 0.5}))
    assert grown.args[0].shape == (6, 17) and grown.args[1].tolist() == [1, 2]


def test_a_search_ends_with_the_largest_draw_stretched():
    rule = RULES["relu"]
    *_, last = Search(rule, cases=3).draws
    sizes = last.args[0].shape
    assert 17 in sizes and MOST / 20 < last.args[0].size <= MOST


# Planted in every rule.


def test_each_kind_is_planted_in_every_rule_that_has_it():
    everywhere = {"batch", "tile-of-4", "tile-of-16", "far-from-0", "subnormal", "dy-mean"}
    for rule in RULES:
        assert everywhere <= {f.name for f in of_rule(rule)}, rule
    assert {"other-stride", "other-dilation", "other-groups"} <= {f.name for f in of_rule("conv")}
    assert {"other-coordinates", "other-antialias"} <= {f.name for f in of_rule("resize_bilinear")}
    assert "repeated-index" in {f.name for f in of_rule("max_unpool")}


def test_they_are_right_elsewhere(x64):
    """One example, no axis longer than a tile, options at their defaults, normal inputs, all indices different."""
    faults = {f.name: f for f in of_rule("conv")}
    rng = np.random.default_rng(0)
    arrays = jnp.asarray(rng.standard_normal((1, 4, 4))), jnp.asarray(rng.standard_normal((2, 4, 4))), None
    options = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1, "precision": None}
    plain = RULES["conv"].plain
    y, pull = jax.vjp(lambda x, kernel: plain(x, kernel, None, **options), *arrays[:2])
    dy = jnp.ones_like(y)
    names = ["batch", "tile-of-4", "tile-of-16", "far-from-0", "subnormal", "dy-mean", "other-stride", "other-groups"]
    for name in names:
        for got, right in zip(faults[name].backward(arrays, dy, **options), pull(dy), strict=False):
            np.testing.assert_allclose(got, right, rtol=1e-12, err_msg=name)


# Two devices.

ON_TWO = """
import json
import jax, jax.numpy as jnp, numpy as np
from jaxcnn.ops import RULES
from jaxcnn.verify.pool import two_devices

two_devices()
assert jax.device_count() == 2

from jaxcnn.verify import check
from jaxcnn.verify.catalog.faults import of_rule
from jaxcnn.verify.catalog.edges import on_last_device
from jaxcnn.verify.kill import survivors
from jaxcnn.verify.search import Search

rng = np.random.default_rng(0)

def survive(rule):
    return survivors(Search(RULES[rule], cases=1), [f for f in of_rule(rule) if f.name == "last-device"])

def report(n, seen, checks=("autodiff", "devices"), width=3):
    dense = jax.custom_vjp(lambda x, k: x @ k)
    dense.defvjp(lambda x, k: (x @ k, (x, k)), lambda args, dy: (seen(dy) @ args[1].T, args[0].T @ seen(dy)))
    args = rng.standard_normal((n, 4)), rng.standard_normal((4, width))
    found = check(dense, args, reference=lambda x, k: x @ k, checks=checks)
    return {"failures": sorted({(f.check, f.argument) for f in found.failures})} | {
        c.name: c.status for c in found.checks
    }

print(json.dumps({
    "even": report(6, on_last_device, None),
    "odd": report(5, on_last_device),
    "as high as the kernel": report(4, on_last_device),
    "one": report(1, on_last_device),
    "one, of an even width": report(1, on_last_device, width=6),
    "right": report(6, lambda dy: dy),
    "planted": [f.rule for rule in ("conv", "batch_norm") for f in survive(rule)],
    "count": sum(f.name == "last-device" for rule in RULES for f in of_rule(rule)) - len(RULES),
}))
"""


def test_a_fault_on_the_last_of_two_devices_is_found_by_that_check_alone():
    environment = {k: v for k, v in os.environ.items() if "device_count" not in v}
    ran = subprocess.run([sys.executable, "-c", ON_TWO], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    for kind in ("even", "odd", "as high as the kernel", "one, of an even width"):
        assert found[kind]["failures"] == [["devices", "k"], ["devices", "x"]], (kind, found[kind])
    assert found["one"]["failures"] == [] and found["one"]["devices"] == "skipped"
    assert found["right"]["failures"] == [] and found["right"]["devices"] == "ok"
    assert found["planted"] == [] and found["count"] == 0


def test_with_one_device_the_fix_is_named():
    if jax.device_count() > 1:
        pytest.skip("there are several devices")
    status, why = note(check(jnp.sin, (X,), checks=["devices"]), "devices")
    assert status == "skipped" and "XLA_FLAGS=--xla_force_host_platform_device_count=2" in why
