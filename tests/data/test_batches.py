import numpy as np
import pytest

from jaxcnn.data import alternately_mirrored, epoch_order, eval_batches, train_batches

IMAGES = np.arange(10 * 2 * 2, dtype=np.uint8).reshape(10, 2, 2, 1)
LABELS = np.arange(10, dtype=np.int32)


def labels_of(batches):
    return [labels.tolist() for _, labels in batches]


def test_seed_and_epoch_alone_decide_the_order():
    order = epoch_order(100, seed=3, epoch=5)
    assert sorted(order.tolist()) == list(range(100))
    np.testing.assert_array_equal(order, epoch_order(100, seed=3, epoch=5))
    for other in (epoch_order(100, seed=3, epoch=6), epoch_order(100, seed=5, epoch=3)):
        assert order.tolist() != other.tolist()


def test_an_epoch_is_full_batches_of_its_order_and_the_rest_is_dropped():
    batches = list(train_batches(IMAGES, LABELS, 4, seed=1, epoch=2))
    order = epoch_order(10, 1, 2).tolist()
    assert labels_of(batches) == [order[:4], order[4:8]]
    for images, labels in batches:
        np.testing.assert_array_equal(images, IMAGES[labels])
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)


def test_an_epoch_continues_where_it_was_broken_off():
    whole = labels_of(train_batches(IMAGES, LABELS, 3, seed=0, epoch=0))
    assert len(whole) == 3
    for start in range(4):
        assert labels_of(train_batches(IMAGES, LABELS, 3, seed=0, epoch=0, start=start)) == whole[start:]


def test_full_batch_and_single_images():
    ((images, _),) = train_batches(IMAGES, LABELS, 10, seed=0, epoch=0)
    assert images.shape == IMAGES.shape
    assert len(list(train_batches(IMAGES, LABELS, 1, seed=0, epoch=0))) == 10


def test_evaluation_fills_the_last_batch_with_weight_zero():
    batches = list(eval_batches(IMAGES, LABELS, 4))
    assert [images.shape for images, _, _ in batches] == [(4, 2, 2, 1)] * 3
    assert [weights.tolist() for *_, weights in batches] == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0]]
    assert all(weights.dtype == np.float32 for *_, weights in batches)
    images, labels = (np.concatenate(part) for part in list(zip(*batches, strict=True))[:2])
    np.testing.assert_array_equal(images[:10], IMAGES)
    np.testing.assert_array_equal(labels[:10], LABELS)
    assert not images[10:].any() and not labels[10:].any()
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)


def test_evaluation_with_a_batch_larger_than_the_dataset():
    ((images, _, weights),) = eval_batches(IMAGES, LABELS, 16)
    assert images.shape == (16, 2, 2, 1)
    assert weights.sum() == 10


def test_bad_batches():
    def first(**options):
        return next(train_batches(IMAGES, LABELS, **{"batch_size": 4, "seed": 0, "epoch": 0} | options))

    with pytest.raises(ValueError, match=r"batch_size is 11, more than the 10 images; use 10 \(full batch\) or fewer"):
        first(batch_size=11)
    with pytest.raises(ValueError, match="train_batches: batch_size is 0; expected 1 or more"):
        first(batch_size=0)
    with pytest.raises(ValueError, match="start is -1; expected the number of batches to leave out"):
        first(start=-1)
    with pytest.raises(ValueError, match="eval_batches: batch_size is -2; expected 1 or more"):
        next(eval_batches(IMAGES, LABELS, -2))
    with pytest.raises(ValueError, match="eval_batches: 10 images have 9 labels"):
        next(eval_batches(IMAGES, LABELS[:9], 2))


def test_two_epochs_show_every_image_both_ways():
    shown = np.array([alternately_mirrored(1000, seed=3, epoch=epoch) for epoch in range(4)])
    np.testing.assert_array_equal(shown[0], ~shown[1])
    np.testing.assert_array_equal(shown[:2], shown[2:])
    assert 400 < shown[0].sum() < 600
