"""Networks as files of Python."""

from dataclasses import dataclass

import pytest

from jaxcnn.layers import Activation, Conv, Dense, chain, residual
from jaxcnn.layers.base import Function
from jaxcnn.models import create
from jaxcnn.models.written import written


def test_a_file_reads_like_a_network():
    net = chain(
        stem=Conv(8, 3, stride=2), block=residual(chain(Conv(8), Activation("elu", {"alpha": 2}))), head=Dense(3)
    )
    assert written(net) == (
        "from jaxcnn.layers import Activation, Conv, Dense, chain, residual\n\n\n"
        "def network(classes=3):\n"
        "    return chain(\n"
        "        stem=Conv(features=8, stride=2),\n"
        "        block=residual(\n"
        "            body=chain(\n"
        "                Conv_0=Conv(features=8),\n"
        "                Activation_0=Activation(name='elu', options=(('alpha', 2),)),\n"
        "            ),\n"
        "            shortcut=chain(),\n"
        "        ),\n"
        "        head=Dense(features=classes),\n"
        "    )\n"
    )


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "mobilenet_v3_small", "densenet121", "unet", "convnext_tiny"])
def test_a_file_makes_an_equal_network(name):
    exec(written(create(name, 7)), names := {})
    assert names["network"]() == create(name, 7)
    assert names["network"](5) == create(name, 5)


def test_what_can_not_be_written_is_told():
    @dataclass(frozen=True, repr=False)
    class Own(Function):
        def forward(self, params, x):
            return x

    with pytest.raises(ValueError, match=r"written: the network has a layer Own, which is not in jaxcnn\.layers"):
        written(chain(own=Own()))
    with pytest.raises(ValueError, match="written: a layer is called '3x3', which can't be written"):
        written(chain(**{"3x3": Conv(4)}))
