"""ConvNeXt."""

from jaxcnn.interop.names import Paths, Row, Table

BLOCK = r"block(\d)_(\d+)/body/(\w+)"
PLACES = {"depthwise": 0, "ln": 2, "expand": 3, "project": 5}  # torchvision's, with permutations and gelu between them
TIMM = {"depthwise": "conv_dw", "ln": "norm", "expand": "mlp.fc1", "project": "mlp.fc2"}
HUGGING_FACE = {"depthwise": "dwconv", "ln": "layernorm", "expand": "pwconv1", "project": "pwconv2"}


def torchvision(paths: Paths) -> list[Row]:
    return [
        ("conv", "features.0.0"),
        ("ln", "features.0.1"),
        (r"block(\d)_(\d+)/body/scale", lambda s, n: f"features.{2 * s - 1}.{n - 1}.layer_scale"),
        (BLOCK, lambda s, n, layer: f"features.{2 * s - 1}.{n - 1}.block.{PLACES[layer]}"),
        (r"down(\d)/ln", lambda s: f"features.{2 * s - 2}.0"),
        (r"down(\d)/conv", lambda s: f"features.{2 * s - 2}.1"),
        ("ln_last", "classifier.0"),
        ("head", "classifier.2"),
    ]


def timm(paths: Paths) -> list[Row]:
    return [
        ("conv", "stem.0"),
        ("ln", "stem.1"),
        (r"block(\d)_(\d+)/body/scale", lambda s, n: f"stages.{s - 1}.blocks.{n - 1}.gamma"),
        (BLOCK, lambda s, n, layer: f"stages.{s - 1}.blocks.{n - 1}.{TIMM[layer]}"),
        (r"down(\d)/ln", lambda s: f"stages.{s - 1}.downsample.0"),
        (r"down(\d)/conv", lambda s: f"stages.{s - 1}.downsample.1"),
        ("ln_last", "head.norm"),
        ("head", "head.fc"),
    ]


def hugging_face(paths: Paths) -> list[Row]:
    encoder = "convnext.encoder.stages"
    return [
        ("conv", "convnext.embeddings.patch_embeddings"),
        ("ln", "convnext.embeddings.layernorm"),
        (r"block(\d)_(\d+)/body/scale", lambda s, n: f"{encoder}.{s - 1}.layers.{n - 1}.layer_scale_parameter"),
        (BLOCK, lambda s, n, layer: f"{encoder}.{s - 1}.layers.{n - 1}.{HUGGING_FACE[layer]}"),
        (r"down(\d)/ln", lambda s: f"{encoder}.{s - 1}.downsampling_layer.0"),
        (r"down(\d)/conv", lambda s: f"{encoder}.{s - 1}.downsampling_layer.1"),
        ("ln_last", "convnext.layernorm"),
        ("head", "classifier"),
    ]


DENSE = ((r".*/(expand|project)/kernel", 2),)  # 1×1 convolutions here
TABLES = {
    "torchvision": Table(torchvision, axes=(*DENSE, (r".*/scale/scale", 3))),
    "timm": Table(timm, axes=DENSE),
    "Hugging Face": Table(hugging_face, axes=DENSE),
}
