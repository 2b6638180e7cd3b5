"""`jaxcnn import`: the weights of another library's file as a model of ours."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxcnn.train.recipe.option import unset

if TYPE_CHECKING:
    from jaxcnn.interop.pretrained import Pretrained
    from jaxcnn.layers import Layer


@dataclass(frozen=True)
class ImportOptions:
    """Make a model folder of weights that another library trained.
    $ jaxcnn import efficientnet_lite0 efficientnet-lite0.pth

    It is what predict, eval, check, export and load_model take.
    """

    model: tyro.conf.Positional[str]
    """The network, by a name that jaxcnn models lists."""
    file: tyro.conf.Positional[str]
    """torchvision's, timm's, Hugging Face's or Keras's file, .safetensors, .pth, .pt, .bin, .h5 or .keras, of which
    nothing is run; or OWNER/NAME[@REVISION] on Hugging Face's hub. Its head is kept, of however many classes."""
    out: Annotated[Path | None, unset("PATH", "models/MODEL")] = None
    """The folder to write."""
    classes: Annotated[
        Path | None, unset("FILE", "those in a file of jaxcnn export, or ImageNet's for 1,000 outputs, or numbers")
    ] = None
    """The names of the outputs in their order, one a line."""
    image_size: Annotated[int | None, unset("PIXELS", "the library's")] = None
    """Of the images that the network is to take, a side in pixels."""
    crop: Annotated[float | None, unset("FLOAT", "the library's")] = None
    """The share of a picture's shorter side that the square in its middle has, which becomes that image."""
    resample: Annotated[Literal["bilinear", "bicubic"] | None, unset("bilinear|bicubic", "the library's")] = None
    """How it is resized."""
    overwrite: bool = False
    """Replace the model in the folder, if there is one."""


def run(options: ImportOptions) -> int:
    """Write the folder and say what was read; returns 0."""
    import jax

    from jaxcnn.cli.console import Console
    from jaxcnn.data.files import some
    from jaxcnn.interop.pretrained import load_pretrained
    from jaxcnn.train import model_folder

    out = options.out or Path("models", options.model)
    _check_place(out, options.overwrite)
    _check_network(options.model)
    found = _changed(options, load_pretrained(options.model, options.file, classes="file"))
    classes = _classes(options.classes, _output_shape(found.network, found.image_shape)[-1], found.classes)
    source = found.source._asdict() | {"library": found.library}
    imported = {what: text for what, text in source.items() if text is not None}
    model_folder.write(
        out,
        {"params": found.params, "state": found.state},
        None,
        network=options.model,
        options={"classes": len(classes)},
        classes=classes,
        image_shape=found.image_shape,
        crop=found.crop,
        resample=found.resample,
        mean=found.mean,
        std=found.std,
        loss=found.loss,
        temperature=found.temperature,
        label_smoothing=0.0,
        dataset=None,
        checkpoint=None,
        step=0,
        epoch=0,
        eval_accuracy=None,
        imported=imported,
    )
    say = Console(soft_wrap=True).print
    parameters = sum(leaf.size for leaf in jax.tree.leaves(found.params))
    say(f"{options.model}, {parameters:,} parameters, {len(classes):,} classes: {some(classes, 3)}")
    for what, text in (imported | {"images": _images(found), "model": out}).items():
        say(f"{'from' if what == 'name' else what:<8} {text}")
    return 0


def _changed(options: ImportOptions, found: "Pretrained") -> "Pretrained":
    """With the options' images in the place of the library's. Raises ValueError for what is none."""
    if options.image_size is not None:
        if options.image_size < 1:
            raise ValueError(f"--image-size is {options.image_size}; expected 1 or more.")
        found = found._replace(image_shape=(options.image_size, options.image_size, found.image_shape[-1]))
    if options.crop is not None:
        if not 0 < options.crop <= 1:
            raise ValueError(f"--crop is {options.crop}; expected more than 0, and 1 at most.")
        found = found._replace(crop=options.crop)
    return found if options.resample is None else found._replace(resample=options.resample)


def _images(found: "Pretrained") -> str:
    """How a picture becomes what the network takes, in a line."""
    height, width, _ = found.image_shape
    mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (found.mean, found.std))
    return f"{height} × {width}, crop {found.crop:.4g}, {found.resample}, mean {mean}, std {std}"


def _check_place(out: Path, overwrite: bool) -> None:
    """Raises ValueError where something is there that is not to be replaced."""
    if not out.exists():
        return
    if not (out / "model.json").is_file():
        raise ValueError(f"--out is {out}, which is there and no model folder; give another one.")
    if not overwrite:
        raise ValueError(f"--out is {out}, where there is a model already; give another folder, or --overwrite.")


def _check_network(name: str) -> None:
    """Raises ValueError for a network that gives each pixel a class."""
    from jaxcnn import models

    if name in models.ABOUT and len(_output_shape(models.create(name), models.ABOUT[name].image_shape)) != 2:
        raise ValueError(
            f"{name} gives a class to each pixel, and a model folder is of a network that gives one to each picture. "
            f'Use it from Python: jaxcnn.load_pretrained("{name}", FILE).'
        )


def _output_shape(network: "Layer", image_shape: tuple[int, ...]) -> tuple[int, ...]:
    import jax

    x = jax.ShapeDtypeStruct((1, *image_shape), "float32")

    def output(key: jax.Array) -> jax.Array:
        return network(*network.init(key, x), jax.numpy.zeros(x.shape))

    return jax.eval_shape(output, jax.random.key(0)).shape


def _classes(file: Path | None, outputs: int, said: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names in the file, or those said with the weights. ValueError where they are not those of so many outputs."""
    from jaxcnn.data import imagenet

    if file is None and said is not None and len(said) == outputs:
        return said
    if file is None:
        return imagenet.names() if outputs == 1000 else tuple(map(str, range(outputs)))
    try:
        lines = file.expanduser().read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"--classes is {file}, which is no text in UTF-8 ({error}).") from error
    except OSError as error:
        raise OSError(f"--classes is {file}, which can't be read ({error.strerror}).") from error
    names = tuple(line.strip() for line in (lines[:-1] if lines[-1] == "" else lines))
    if len(names) != outputs:
        raise ValueError(f"--classes is {file} with {len(names):,} lines, and the network has {outputs:,} outputs.")
    if "" in names:
        raise ValueError(f"--classes is {file}, whose line {names.index('') + 1} is empty; expected a name.")
    if again := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise ValueError(f"--classes is {file}, where {again!r} is on two lines; each class has a name of its own.")
    return names
