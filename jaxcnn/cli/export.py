"""`jaxcnn export`: a trained network as a file that others read, with how pictures become what it takes."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxcnn.train.recipe.option import unset

if TYPE_CHECKING:
    from jaxcnn.train.model import Card, Model

OURS = "jaxcnn"


@dataclass(frozen=True)
class ExportOptions:
    """Write a trained network as a file for others: its weights, or all of it.
    $ jaxcnn export runs/digits-lenet5 --to onnx
    """

    run: tyro.conf.Positional[Path]
    """The run folder; or a model folder of one, such as RUN/model/last, or a copy of it."""
    to: Literal["safetensors", "stablehlo", "onnx"]
    """safetensors: the weights by name; stablehlo: a program that JAX alone runs; onnx: for ONNX Runtime and others."""
    out: Annotated[Path | None, unset("FILE", "the folder's name with the ending .onnx, or what else it is, here")] = (
        None
    )
    """The file to write. Beside a .stablehlo file one of JSON says how pictures become what it takes."""
    checkpoint: Literal["last", "best"] = "last"
    """Of a run. last: after the last epoch or Ctrl-C; best: of the best epoch, by the highest accuracy or --best-by."""
    layout: Annotated[str | None, unset("LIBRARY", OURS)] = None
    """Of safetensors, whose names and axes: jaxcnn, torchvision, timm, huggingface; of those that have the network."""
    fold: bool = False
    """Make batch norms a part of the convolutions before them: the same logits, faster. For onnx and stablehlo."""
    int8: bool = False
    """Keep kernels in 8 bits, a quarter of the file; they become floats where it runs. For onnx and stablehlo."""
    overwrite: bool = False
    """Write over a file that exists."""


def run(options: ExportOptions) -> int:
    """Write the file and say what it takes; returns 0. Raises ValueError or OSError where it can't be written."""
    from jaxcnn.train.model_folder import load_model

    for name in ("fold", "int8"):
        if getattr(options, name) and options.to == "safetensors":
            raise ValueError(
                f"--{name} is for --to onnx and stablehlo: safetensors holds a network's weights as it has."
            )
    if options.layout is not None and options.to != "safetensors":
        raise ValueError(f"--layout is {options.layout!r}, which is for --to safetensors; leave it out.")
    out = options.out or Path(f"{options.run.expanduser().resolve().name}.{options.to}")
    files = [out] if options.to != "stablehlo" else [out, out.with_name(f"{out.name}.json")]
    for file in files:
        if not os.path.lexists(file):
            continue
        if file.exists() and not file.is_file():
            raise ValueError(f"{file} is there and no regular file; choose another --out.")
        if not options.overwrite:
            raise ValueError(f"{file} exists; choose another --out, or write over it with --overwrite.")
    model = load_model(options.run, options.checkpoint)
    for file, content in zip(files, _contents(options, model), strict=True):
        _write(file, content)
    images = model.image_shape if options.to == "stablehlo" else (model.image_shape[-1], *model.image_shape[:-1])
    takes = "" if options.to == "safetensors" else f', takes "images" float32 (n, {", ".join(map(str, images))})'
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB{takes}")
    return 0


def _contents(options: ExportOptions, model: "Model") -> list[bytes]:
    """What goes into the file, and into the one beside it."""
    from jaxcnn.interop import stablehlo
    from jaxcnn.interop.onnx import write
    from jaxcnn.layers import fold_batch_norm, quantise

    if options.to == "safetensors":
        return [_weights(model, options.layout)]
    network, params, state = model.network, model.params, model.state
    if options.fold:
        network, params, state = fold_batch_norm(network, params, state)
    if options.int8:
        params = quantise(network, params)
    if options.to == "onnx":
        return [write.dump(network, params, state, model.image_shape, metadata=facts(model.card, "NCHW"))]
    said = {name: json.loads(value) for name, value in facts(model.card, "NHWC").items()}
    beside = json.dumps(said, indent=2, ensure_ascii=False).encode()
    return [stablehlo.dump(network, params, state, model.image_shape), beside]


def _weights(model: "Model", layout: str | None) -> bytes:
    """A safetensors file by the library's names, or by ours."""
    from jaxcnn.interop import safetensors
    from jaxcnn.interop.convert import PYTORCH
    from jaxcnn.interop.load import save
    from jaxcnn.interop.tables import table_of

    card, trees = model.card, (model.params, model.state)
    if layout in (None, OURS):
        return safetensors.dump(dict(zip(("params", "state"), trees, strict=True)), facts(card, "NHWC"))
    if card.source is not None:
        raise ValueError(f"--layout is {layout!r}, and {card.network} is a network of your own, which no library has.")
    table = table_of(card.network, layout)
    if table.convention is not PYTORCH:
        raise ValueError(f"--layout is {layout!r}, and {layout} reads no safetensors; take a library for PyTorch.")
    arrays = save(model.network, *trees, table)
    return safetensors.dump(arrays, {"format": "pt", **facts(card, "NCHW")})  # which transformers asks for


def facts(card: "Card", layout: Literal["NCHW", "NHWC"]) -> dict[str, str]:
    """What a file says of its network besides weights, each as JSON: how a picture becomes x, and logits a class.

    The picture's middle, by `crop`, is resized to `image_shape` by `resample`; x = (pixels / 255 - mean) / std, its
    axes as `layout` says; `activation` of logits / temperature are the probabilities of `classes`.
    """
    said = {
        "network": card.network,
        "layout": layout,
        **{name: getattr(card, name) for name in ("image_shape", "crop", "resample", "mean", "std", "classes")},
        "activation": card.loss,
        "temperature": card.temperature,
        "jaxcnn": card.jaxcnn,
    }
    return {name: json.dumps(value, ensure_ascii=False) for name, value in said.items()}


def _write(file: Path, content: bytes) -> None:
    """The whole file or none; a link stays one. Raises OSError, naming it, where it can't be written."""
    target = Path(os.path.realpath(file))
    new = target.with_name(f"{target.name}.new")
    try:
        new.write_bytes(content)
        new.replace(target)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise OSError(f"{file} can't be written ({error.strerror}); choose another --out.") from error
