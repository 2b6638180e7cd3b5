"""Networks of torchvision, timm and Hugging Face, with random weights: what ours are compared with.

`python -m tests.interop.libraries` prints the rows of `PUBLISHED` in `test_load.py`: of each network a hash of what its
arrays are called and of their shapes. It needs PyTorch and the three libraries.
"""

import functools
import hashlib
import re
import sys

LEFT_OUT = r".*\.num_batches_tracked|aux_classifier\..*"

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
        *("mobilenetv3_small_100", "mobilenetv3_large_100", "tf_efficientnet_b0", "tf_efficientnet_b4"),
    )
} | {"mobilenet_v2": "mobilenetv2_100", **{f"efficientnet_lite{n}": f"tf_efficientnet_lite{n}" for n in range(5)}}
HUGGING_FACE = {
    "resnet18": ("ResNet", {"layer_type": "basic", "depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512]}),
    "resnet50": ("ResNet", {}),
    "convnext_tiny": ("ConvNext", {}),
    "tf_efficientnet_b0": (
        "EfficientNet",
        {"width_coefficient": 1.0, "depth_coefficient": 1.0, "hidden_dim": 1280, "image_size": 224},
    ),
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


def all_networks():
    """(library, our name), of each."""
    libraries = {"torchvision": TORCHVISION, "timm": TIMM, "Hugging Face": HUGGING_FACE}
    return [(library, name) for library, names in libraries.items() for name in names]


def main() -> None:
    for library, name in all_networks():
        print(f'    ("{library}", "{name}"): "{described(network(library, name).state_dict())}",', flush=True)


if __name__ == "__main__":
    sys.exit(main())
