"""What the configuration of a repository on the hub says, timm's and transformers': which network, and which images."""

from collections.abc import Mapping
from typing import Any

from jaxcnn.models import ABOUT
from jaxcnn.models.convnext import VARIANTS
from jaxcnn.models.efficientnet import SCALES
from jaxcnn.models.resnet import IMAGENET

TIMM = {"mobilenetv2_100": "mobilenet_v2", **{f"tf_efficientnet_lite{n}": f"efficientnet_lite{n}" for n in range(5)}}
PILLOW = {2: "bilinear", 3: "bicubic"}  # its numbers


def network(config: Mapping[str, Any]) -> str | None:
    """What our network is called, None where we have none."""
    if "architecture" in config:
        name = TIMM.get(config["architecture"], config["architecture"])
        return name if name in ABOUT else None
    depths = tuple(config.get("depths", ()))
    match config.get("model_type"):
        case "resnet":
            kind = depths, config.get("layer_type") == "bottleneck"
            return next((f"resnet{depth}" for depth, found in IMAGENET.items() if found == kind), None)
        case "convnext":
            sizes = depths, config.get("hidden_sizes", [0])[0]
            return next((f"convnext_{name}" for name, found in VARIANTS.items() if found[:2] == sizes), None)
        case "efficientnet":
            scale = config.get("width_coefficient"), config.get("depth_coefficient")
            scales = SCALES.items()
            return next((f"tf_efficientnet_{name}" for name, found in scales if found[:2] == scale), None)
        case "mobilenet_v2" if config.get("tf_padding") and config.get("depth_multiplier") == 1:
            return "tf_mobilenet_v2"
    return None


def images(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    """What it says of mean, std, image_shape, crop and resample, by these names."""
    if "pretrained_cfg" in config:
        return _timm(config["pretrained_cfg"])
    return _transformers(preprocessor)


def _timm(said: Mapping[str, Any]) -> dict[str, Any]:
    found = {ours: tuple(said[theirs]) for ours, theirs in (("mean", "mean"), ("std", "std")) if theirs in said}
    if "input_size" in said:
        channels, height, width = said["input_size"]
        found["image_shape"] = height, width, channels
    if "crop_pct" in said:
        found["crop"] = said["crop_pct"]
    if said.get("interpolation") in PILLOW.values():
        found["resample"] = said["interpolation"]
    return found


def _transformers(said: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if said.get("do_normalize", True) and "image_mean" in said:
        found["mean"], found["std"] = tuple(said["image_mean"]), tuple(said["image_std"])
        if said.get("include_top"):  # EfficientNet's divides by the deviation twice, which is its square root there
            found["std"] = tuple(s * s for s in found["std"])
    size, crop = said.get("size"), said.get("crop_size")
    shorter = size.get("shortest_edge") if isinstance(size, Mapping) else size
    cut = crop.get("height") if isinstance(crop, Mapping) else crop
    if "crop_pct" in said:
        found["crop"] = said["crop_pct"]
    elif said.get("do_center_crop") and shorter and cut:
        found["crop"] = cut / shorter
    if said.get("resample") in PILLOW:
        found["resample"] = PILLOW[said["resample"]]
    return found
