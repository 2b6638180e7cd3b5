"""Maps of shuffled weights, for a small network."""

import jax
import numpy as np
from scipy.stats import spearmanr

from experiments import sanity_checks as experiment
from tests.experiments.test_imagenet_pictures import small


def test_the_cascade_shuffles_from_the_head_downwards():
    net = small()
    steps = dict(experiment.cascade(net.params, jax.random.key(0)))
    assert list(steps) == ["none", *experiment.STEPS]
    changed = {step: changes(net.params, params) for step, params in steps.items()}
    head, last, block, first = "head/kernel", "conv_last/kernel", "block1_1/expand/kernel", "conv/kernel"
    assert changed["none"] == set() and changed["head"] == {head} and changed["last"] == {head, last}
    assert changed["stage 7"] == changed["stage 2"] == {head, last}
    assert changed["stage 1"] == {head, last, block} and changed["first"] == {head, last, block, first}
    again = dict(experiment.cascade(net.params, jax.random.key(0)))["first"]
    jax.tree.map(np.testing.assert_array_equal, again, steps["first"])


def changes(params, other):
    """The paths of what differs; the entries are the same ones everywhere."""
    found = set()
    pairs = zip(jax.tree.leaves_with_path(params), jax.tree.leaves(other), strict=True)
    for (path, a), b in pairs:
        np.testing.assert_array_equal(np.sort(a, axis=None), np.sort(b, axis=None))
        if (np.asarray(a) != np.asarray(b)).any():
            found.add(jax.tree_util.keystr(path, simple=True, separator="/"))
    return found


def test_it_is_spearmans_of_absolute_values():
    a, b = np.random.default_rng(0).standard_normal((2, 50))
    b[:20] = 0  # ties
    np.testing.assert_allclose(experiment.rank_correlation(a, b), spearmanr(abs(a), abs(b)).statistic)
    np.testing.assert_allclose(experiment.rank_correlation(a, -a), 1)
    assert experiment.rank_correlation(a, 0 * a) == 0


def test_it_prints_correlations_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "lite0", small)
    found = experiment.main(tmp_path, steps=2)
    assert all(list(each) == ["none", "head", "last"] for each in found.values())
    np.testing.assert_allclose(found["saliency"]["none"], 1)
    assert found["saliency"]["last"] < 0.99
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["none", "head", "last"] and len(table) == len(experiment.METHODS) + 2
    assert (tmp_path / "sanity_checks.jpg").read_bytes().startswith(b"\xff\xd8")
