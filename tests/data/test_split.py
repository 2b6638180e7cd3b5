from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcnn.data.split import by_shares, in_parts, parsed


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    split=st.sampled_from(["0.8/0.1/0.1", "0.5/0.25/0.25", "0.1/0.8/0.1", "0.34/0.33/0.33", "0.7/0.3", "0.05/0.95"]),
    seed=st.integers(0, 9),
)
def test_each_class_gives_each_part_its_share_to_within_one_and_training_at_least_one(sizes, split, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    shares = [float(share) for share in split.split("/")]
    parts = by_shares(labels, tuple(parsed(split).values()), seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert all((np.diff(part) > 0).all() for part in parts)
    for label, size in enumerate(sizes):
        counts = [np.count_nonzero(labels[part] == label) for part in parts]
        assert counts[0] >= 1
        assert max(abs(count - share * size) for count, share in zip(counts, shares, strict=True)) < 1 + 1e-9


def test_many_small_classes_fill_all_parts():
    labels = np.repeat(np.arange(100), 4)
    sizes = [len(part) for part in by_shares(labels, (Fraction(8, 10), Fraction(1, 10), Fraction(1, 10)), 0)]
    assert sizes == [320, 40, 40]


def test_shares_are_exact():
    labels = np.zeros(100, int)
    assert [len(part) for part in by_shares(labels, tuple(parsed("0.29/0.71").values()), 0)] == [29, 71]
    assert [len(part) for part in by_shares(labels, tuple(parsed("0.57/0.14/0.29").values()), 0)] == [57, 14, 29]


def test_the_seed_draws():
    labels = np.repeat([0, 1], 50)
    shares = (Fraction(4, 5), Fraction(1, 5))
    tests = [by_shares(labels, shares, seed)[1] for seed in range(200)]
    np.testing.assert_array_equal(tests[3], by_shares(labels, shares, 3)[1])
    times = np.bincount(np.concatenate(tests), minlength=100)
    assert times.min() >= 20 and times.max() <= 65  # 40 ± 5.7 of 200 draws


def test_a_part_that_gets_nothing_is_named():
    with pytest.raises(
        ValueError,
        match=r"of 6 pictures none is in the validation part, as split is '0\.8/0\.01/0\.19' and every class",
    ):
        in_parts(np.repeat([0, 1], 3), ("ant", "bee"), "0.8/0.01/0.19", 0)


def test_a_class_that_only_testing_gets_is_named():
    with pytest.raises(
        ValueError, match="class 'ant' has one picture, which is for testing as every fifth is; expected 2"
    ):
        in_parts(np.array([0, 1, 1]), ("ant", "bee"), None, 0)
