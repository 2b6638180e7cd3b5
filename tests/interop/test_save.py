"""Our weights in other libraries' networks, by files that they load themselves."""

from importlib.util import find_spec

import jax
import numpy as np
import pytest

from jaxcnn import models
from jaxcnn.interop import safetensors
from jaxcnn.interop.load import save
from jaxcnn.interop.tables import table_of
from tests.interop import libraries
from tests.models.weights import random_weights


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("torchvision", "resnet18"),
        ("torchvision", "vgg11_bn"),
        ("torchvision", "densenet121"),
        ("torchvision", "mobilenet_v2"),
        ("torchvision", "efficientnet_b0"),
        ("torchvision", "convnext_tiny"),
        ("timm", "efficientnet_lite0"),
        ("timm", "mobilenetv3_small_100"),
    ],
)
def test_it_is_loaded_strictly_and_the_logits_are_ours(library, name, tmp_path):
    torch = pytest.importorskip("torch")
    if find_spec(library) is None:
        pytest.skip(f"no {library} here")
    load_file = pytest.importorskip("safetensors.torch").load_file
    network, side = models.create(name), 224 if name.startswith("vgg") else 64
    params, state = random_weights(network, (side, side, 3))
    arrays = save(network, params, state, table_of(name, library))
    (tmp_path / "net.safetensors").write_bytes(safetensors.dump(arrays, {"format": "pt"}))
    theirs = libraries.network(library, name)
    theirs.load_state_dict(load_file(tmp_path / "net.safetensors"), strict=True)
    x = np.random.default_rng(0).standard_normal((2, side, side, 3)).astype(np.float32)
    with torch.no_grad():
        found = np.asarray(theirs(torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()))
    expected = np.asarray(jax.jit(network)(params, state, x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_a_library_is_found_whatever_the_case_of_its_name():
    found = table_of("tf_efficientnet_b0", "huggingface"), table_of("tf_efficientnet_b0", "Hugging Face")
    assert found[0] is found[1] is not table_of("tf_efficientnet_b0", "timm")
    assert table_of("resnet18", "Timm") is table_of("resnet18", "torchvision")
    with pytest.raises(ValueError, match="'timm' has no names for squeezenet1_1; known are those of torchvision"):
        table_of("squeezenet1_1", "timm")
    with pytest.raises(ValueError, match="'hf' has no names for resnet18; known are those of torchvision, timm, hug"):
        table_of("resnet18", "hf")
