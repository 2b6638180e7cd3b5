import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from jaxcnn.data import balanced_order, class_weights


def labels_of(*sizes, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)


@pytest.mark.parametrize("sizes", [(1, 1), (90, 9, 1), (7,), (5, 100, 3, 2)])
def test_class_weights_are_scikit_learns(sizes):
    labels = labels_of(*sizes)
    expected = compute_class_weight("balanced", classes=np.arange(len(sizes)), y=labels)
    weights = class_weights(labels, len(sizes))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights[labels].mean(), 1, rtol=1e-6)


def test_a_class_that_does_not_occur_has_no_weight_and_changes_none():
    assert class_weights(np.array([0, 0, 0, 2]), 4).tolist() == pytest.approx([4 / 6, 0, 2, 0])


def test_every_class_is_seen_alike():
    labels = labels_of(90, 9, 3, 1)
    seen = np.array([np.bincount(labels[balanced_order(labels, 0, epoch)]) for epoch in range(40)])
    assert seen.sum(1).tolist() == [103] * 40
    assert set(seen.ravel().tolist()) == {25, 26}
    assert (seen.max(0) == 26).all()  # 103 is 3 above 4 · 25: no class is left out for good


def test_an_image_is_seen_again_when_all_of_its_class_were():
    labels = labels_of(90, 9, 1)
    times = np.bincount(balanced_order(labels, 3, 7), minlength=100)
    assert times[labels == 0].max() == 1
    assert set(times[labels == 1].tolist()) <= {3, 4} and times[labels == 1].sum() in (33, 34)
    assert times[labels == 2].item() in (33, 34)


def test_classes_do_not_come_in_blocks():
    labels = labels_of(50, 50)
    drawn = labels[balanced_order(labels, 0, 0)]
    assert 20 < np.count_nonzero(np.diff(drawn)) < 80  # 50 of 99 are expected, 1 of blocks and 99 of turns


def test_seed_and_epoch_decide():
    labels = labels_of(20, 5)
    order = balanced_order(labels, 1, 2)
    np.testing.assert_array_equal(order, balanced_order(labels, 1, 2))
    assert (order != balanced_order(labels, 1, 3)).any() and (order != balanced_order(labels, 2, 2)).any()


def test_over_epochs_all_of_a_large_class_are_seen():
    labels = labels_of(60, 2)
    seen = {i for epoch in range(12) for i in balanced_order(labels, 0, epoch).tolist()}
    assert seen == set(range(62))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([], np.int32), r"labels has shape \(0,\) and dtype int32; expected \(n,\) integers, 1 or more"),
        (np.array([[0]]), r"labels has shape \(1, 1\)"),
        (np.array([0.0]), r"labels has shape .* dtype float64"),
        (np.array([-1, 1]), "labels has values from -1 to 1; expected 0 "),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(ValueError, match=f"class_weights: {message}"):
        class_weights(labels, 2)
    with pytest.raises(ValueError, match=f"balanced_order: {message}"):
        balanced_order(labels, 0, 0)


def test_labels_beyond_the_classes():
    with pytest.raises(ValueError, match="labels has values from 0 to 2; expected 0 to 1, indices into the 2 classes"):
        class_weights(np.array([0, 2]), 2)
