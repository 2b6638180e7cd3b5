"""Networks of torchvision, timm, Hugging Face and Keras, with random weights: what ours are compared with.

`python -m tests.interop.libraries` prints the rows of `PUBLISHED` in `test_load.py`: of each network a hash of what its
arrays are called and of their shapes. It needs PyTorch, the four libraries and h5py.
"""

import functools
import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

LEFT_OUT = r".*\.num_batches_tracked|aux_classifier\..*|normalization(_\d+)?/.*"

# Theirs by ours; where ours has another name, it is timm's.
TORCHVISION = [
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2", "resnext50_32x4d"),
    *("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg16_bn", "densenet121", "densenet169", "densenet201"),
    *("squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4"),
    *("convnext_tiny", "convnext_small", "fcn_resnet50"),
]
TIMM = {
    name: name
    for name in (
        *("resnet18", "resnet50", "vgg11_bn", "densenet121", "efficientnet_b0", "efficientnet_b3", "convnext_tiny"),
        *("mobilenetv3_small_100", "mobilenetv3_large_100", "tf_mobilenetv3_small_100", "tf_mobilenetv3_large_100"),
        *("tf_efficientnet_b0", "tf_efficientnet_b4"),
    )
} | {"mobilenet_v2": "mobilenetv2_100", **{f"efficientnet_lite{n}": f"tf_efficientnet_lite{n}" for n in range(5)}}


def _basic(*depths):
    return "ResNet", {"layer_type": "basic", "depths": list(depths), "hidden_sizes": [64, 128, 256, 512]}


def _scaled(width, depth, size, hidden):
    scale = {"width_coefficient": width, "depth_coefficient": depth, "image_size": size, "hidden_dim": hidden}
    return "EfficientNet", scale


HUGGING_FACE = {
    "resnet18": _basic(2, 2, 2, 2),
    "resnet34": _basic(3, 4, 6, 3),
    "resnet50": ("ResNet", {}),
    "resnet101": ("ResNet", {"depths": [3, 4, 23, 3]}),
    "resnet152": ("ResNet", {"depths": [3, 8, 36, 3]}),
    "convnext_tiny": ("ConvNext", {}),
    "convnext_small": ("ConvNext", {"depths": [3, 3, 27, 3]}),
    "tf_mobilenet_v2": ("MobileNetV2", {}),
    "tf_efficientnet_b0": _scaled(1.0, 1.0, 224, 1280),
    "tf_efficientnet_b1": _scaled(1.0, 1.1, 240, 1280),
    "tf_efficientnet_b2": _scaled(1.1, 1.2, 260, 1408),
    "tf_efficientnet_b3": _scaled(1.2, 1.4, 300, 1536),
    "tf_efficientnet_b4": _scaled(1.4, 1.8, 380, 1792),
}
KERAS = {
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    **{f"keras_resnet{depth}": f"ResNet{depth}" for depth in (50, 101, 152)},
    **{f"keras_densenet{depth}": f"DenseNet{depth}" for depth in (121, 169, 201)},
    "tf_mobilenet_v2": "MobileNetV2",
    "tf_mobilenetv3_small_100": "MobileNetV3Small",
    "tf_mobilenetv3_large_100": "MobileNetV3Large",
    **{f"tf_efficientnet_b{n}": f"EfficientNetB{n}" for n in range(5)},
    "convnext_tiny": "ConvNeXtTiny",
    "convnext_small": "ConvNeXtSmall",
}


def described(arrays) -> str:
    """A hash of names and shapes."""
    lines = sorted(f"{key} {tuple(a.shape)}" for key, a in arrays.items() if not re.fullmatch(LEFT_OUT, key))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@functools.cache
def torchvision():
    """Its Python alone: what is compiled fits one build of PyTorch, and no network of it is needed here."""
    import torch

    register = torch.library.register_fake
    torch.library.register_fake = lambda name, *rest, **options: (
        (lambda f: f) if str(name).startswith("torchvision::") else register(name, *rest, **options)
    )
    try:
        import torchvision
        import torchvision.models
    finally:
        torch.library.register_fake = register
    return torchvision


def network(library: str, name: str):
    """Theirs that is like ours, random."""
    import torch

    if library == "torchvision":
        options = {"weights_backbone": None} if name.startswith("fcn") else {}
        made = torchvision().models.get_model(name, weights=None, **options)
    elif library == "timm":
        torchvision()
        import timm

        made = timm.create_model(TIMM[name])
    else:
        torchvision()
        import transformers

        kind, options = HUGGING_FACE[name]
        config = getattr(transformers, f"{kind}Config")(num_labels=1000, **options)
        made = getattr(transformers, f"{kind}ForImageClassification")(config)
    random = torch.Generator().manual_seed(0)
    for key, array in made.state_dict().items():
        if array.is_floating_point():
            array.copy_(_random(torch, random, key, array))
    return made.eval()


def _random(torch, random, key, array):
    """So that activations stay of one size, and nothing is 0 or 1 by which a mistake would go unseen."""
    if key.endswith("running_var"):
        return torch.rand(array.shape, generator=random) + 0.5
    if array.ndim > 1 and "layer_scale" not in key:
        return torch.randn(array.shape, generator=random) * (1.6 / array[0].numel()) ** 0.5
    if key.endswith(("weight", "gamma", "layer_scale", "layer_scale_parameter")):
        return torch.rand(array.shape, generator=random) * 0.5 + 0.5
    return torch.randn(array.shape, generator=random) * 0.1


def images(side, count=4):
    """Patches of colour with some noise, from -1 to 1.

    Of noise alone a deep network sees only the mean, and all images were alike to it; without any max pooling would
    meet values that are equal, of which each library takes another.
    """
    rng = np.random.default_rng(0)
    colours = rng.uniform(-0.8, 0.8, (count, 4, 4, 3)).repeat(side // 4, 1).repeat(side // 4, 2)
    return (colours + rng.uniform(-0.2, 0.2, colours.shape)).astype(np.float32)


def settle(network, x):
    """PyTorch's network in evaluation mode, with batch norms' statistics near those of x, as after a training.

    With others what comes in fades from layer to layer, and the logits of all images are alike.
    """
    import torch

    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    for layer in norms:
        layer.momentum = 1.0
    network.train()
    with torch.no_grad():
        network(x)
        for layer in norms:
            layer.running_var += 0.1 * layer.running_var.mean()  # none is 0, of a channel that relu has closed
    return network.eval()


def keras_network(name, side=None):
    """Keras's that is like ours, random; it ends in logits."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    shape = {} if side is None else {"input_shape": (side, side, 3)}
    made = getattr(keras.applications, KERAS[name])(weights=None, classifier_activation=None, **shape)
    rng = np.random.default_rng(0)
    for variable in made.weights:
        if variable.ndim and not variable.path.startswith("normalization"):
            variable.assign(_random_keras(rng, variable.name, variable.shape))
    return made


def settle_keras(network, x):
    """As `settle`."""
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    groups = [[v.value for v in group] for group in (network.trainable_variables, network.non_trainable_variables)]
    _, moved = jax.jit(lambda groups: network.stateless_call(*groups, x, training=True))(groups)
    for variable, value in zip(network.non_trainable_variables, moved, strict=True):
        more = 0.1 * value.mean() if variable.name == "moving_variance" else 0
        variable.assign(value + more)
    return network


def _random_keras(rng, name, shape):
    if name.endswith("variance"):
        return rng.random(shape) + 0.5
    if len(shape) > 1:
        return rng.standard_normal(shape) * (1.6 / np.prod(shape[:-1] if shape[-1] > 1 else shape[:-2])) ** 0.5
    if name.startswith(("gamma", "variable")):
        return rng.random(shape) * 0.5 + 0.5
    return rng.standard_normal(shape) * 0.1


def keras_arrays(network):
    """The arrays of Keras's network, as a file of it has them."""
    from jaxcnn.interop import keras

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.weights.h5"
        network.save_weights(file)
        return keras.read(file)


def all_networks():
    """(library, our name), of each."""
    libraries = {"torchvision": TORCHVISION, "timm": TIMM, "Hugging Face": HUGGING_FACE, "Keras": KERAS}
    return [(library, name) for library, names in libraries.items() for name in names]


def main() -> None:
    for library, name in all_networks():
        arrays = keras_arrays(keras_network(name)) if library == "Keras" else network(library, name).state_dict()
        print(f'    ("{library}", "{name}"): "{described(arrays)}",', flush=True)


if __name__ == "__main__":
    sys.exit(main())
