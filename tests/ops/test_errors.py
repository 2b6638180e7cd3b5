"""Bad input to every operation gets an error that names what is wrong and what to do."""

import numpy as np
import pytest

from jaxcnn import ops
from tests.ops.errors import BAD
from tests.ops.errors.arrays import KERNEL, KEY, LOGITS, C, X


@pytest.mark.parametrize("name", BAD)
def test_the_message_says_what_is_wrong_and_what_to_do(name):
    attempt, pieces = BAD[name]
    with pytest.raises(ValueError) as caught:
        attempt()
    message = str(caught.value)
    assert all(piece in message for piece in pieces), message
    assert message.startswith(name.split("-")[0] + ": "), message


def test_numpy_scalars_are_numbers():
    for call in (
        lambda: ops.dropout(X, KEY, rate=np.float32(0.5)),
        lambda: ops.leaky_relu(X, slope=np.float32(0.1)),
        lambda: ops.batch_norm(X, C, C, epsilon=np.float32(1e-5))[0],
        lambda: ops.conv(X, KERNEL, groups=np.int64(1), padding=np.array([[1, 1], [1, 1]])),
    ):
        assert len(call()) == 2
    assert ops.softmax_cross_entropy(LOGITS, np.array([0, 1]), label_smoothing=np.float32(0.1)).shape == (2,)


def test_full_padding_with_a_stride_has_no_window_in_the_padding():
    assert ops.max_pool(X, 3, stride=2, padding="FULL").shape == (2, 5, 4, 3)
