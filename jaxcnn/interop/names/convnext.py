"""ConvNeXt."""

from jaxcnn.data.pictures import Fit
from jaxcnn.interop.convert import KERAS
from jaxcnn.interop.names import Paths, Row, Table

BLOCK = r"block(\d)_(\d+)/body/(\w+)"
PLACES = {"depthwise": 0, "ln": 2, "expand": 3, "project": 5}  # torchvision's, with permutations and gelu between them
TIMM = {"depthwise": "conv_dw", "ln": "norm", "expand": "mlp.fc1", "project": "mlp.fc2"}
HUGGING_FACE = {"depthwise": "dwconv", "ln": "layernorm", "expand": "pwconv1", "project": "pwconv2"}


def torchvision(paths: Paths) -> list[Row]:
    """torchvision's names."""
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
    """timm's names."""
    return [
        ("conv", "stem.0"),
        ("ln", "stem.1"),
        *_staged("stages", "blocks", TIMM, scale="gamma", down="downsample"),
        ("ln_last", "head.norm"),
        ("head", "head.fc"),
    ]


def hugging_face(paths: Paths) -> list[Row]:
    """Hugging Face's names."""
    return [
        ("conv", "convnext.embeddings.patch_embeddings"),
        ("ln", "convnext.embeddings.layernorm"),
        *_staged(
            "convnext.encoder.stages",
            "layers",
            HUGGING_FACE,
            scale="layer_scale_parameter",
            down="downsampling_layer",
        ),
        ("ln_last", "convnext.layernorm"),
        ("head", "classifier"),
    ]


def keras(paths: Paths) -> list[Row]:
    """Keras's names, before each of which stands that of the network."""
    network = f"convnext_{'small' if 'block3_10/body/ln' in paths else 'tiny'}"
    layers = {
        "depthwise": "depthwise_conv",
        "ln": "layernorm",
        "expand": "pointwise_conv_1",
        "project": "pointwise_conv_2",
        "scale": "layer_scale",
    }
    return [
        ("conv", f"{network}_stem_conv"),
        ("ln", f"{network}_stem_layernorm"),
        (
            r"block(\d)_(\d+)/body/(\w+)",
            lambda s, n, layer: f"{network}_stage_{s - 1}_block_{n - 1}_{layers[layer]}",
        ),
        (r"down(\d)/ln", lambda s: f"{network}_downsampling_layernorm_{s - 2}"),
        (r"down(\d)/conv", lambda s: f"{network}_downsampling_conv_{s - 2}"),
        ("ln_last", f"{network}_head_layernorm"),
        ("head", f"{network}_head_dense"),
    ]


def _staged(stages: str, blocks: str, names: dict[str, str], *, scale: str, down: str) -> list[Row]:
    """Stages that hold their blocks, and what makes the image smaller before them."""

    def block(stage: int, n: int) -> str:
        return f"{stages}.{stage - 1}.{blocks}.{n - 1}"

    return [
        (r"block(\d)_(\d+)/body/scale", lambda s, n: f"{block(s, n)}.{scale}"),
        (BLOCK, lambda s, n, layer: f"{block(s, n)}.{names[layer]}"),
        (r"down(\d)/ln", lambda s: f"{stages}.{s - 1}.{down}.0"),
        (r"down(\d)/conv", lambda s: f"{stages}.{s - 1}.{down}.1"),
    ]


DENSE = ((r".*/(expand|project)/kernel", 2),)  # 1×1 convolutions here
TABLES = {
    "torchvision": Table(
        torchvision,
        axes=(*DENSE, (r".*/scale/scale", 3)),
        fits={"convnext_tiny": Fit(224, 224 / 236), "convnext_small": Fit(224, 224 / 230)},
    ),
    "timm": Table(
        timm,
        axes=DENSE,
        fits=dict.fromkeys(("convnext_tiny", "convnext_small"), Fit(224, 0.95, "bicubic")),
    ),
    "Hugging Face": Table(hugging_face, axes=DENSE),
    "Keras": Table(keras, convention=KERAS, axes=(*DENSE, (r".*/depthwise/kernel", 4)), in_order=list),
}
