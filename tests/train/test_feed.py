"""Where a step's images come from."""

import numpy as np
import pytest

from jaxcnn.data import train_batches
from jaxcnn.train.feed import InMemory, Order
from jaxcnn.train.placement import Placement

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 2, 3, 1)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0], np.int32)


@pytest.mark.parametrize("balanced", [False, True])
def test_what_lies_on_the_device_comes_in_the_batches_of_the_host(balanced):
    feed = InMemory(IMAGES, LABELS, Order(LABELS, 3, seed=5, balanced=balanced), Placement())
    for step, epoch, start in ((0, 0, 0), (4, 1, 1), (5, 1, 2), (8, 2, 2)):
        expected = list(train_batches(IMAGES, LABELS, 3, seed=5, epoch=epoch, start=start, balanced=balanced))
        batches = list(feed.rest_of_epoch(step))
        assert len(batches) == len(expected) == 3 - start
        for found, right in zip(batches, expected, strict=True):
            for of_device, of_host in zip(found, right, strict=True):
                assert of_device.dtype == of_host.dtype
                np.testing.assert_array_equal(of_device, of_host)
