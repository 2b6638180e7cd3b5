"""`jaxcnn check`: a trained network's handwritten gradients against those that JAX derives."""

from dataclasses import dataclass

from jaxcnn.cli.evaluated import Evaluated


@dataclass(frozen=True)
class CheckOptions(Evaluated):
    """Compare a run's handwritten gradients with jax.grad, layer by layer.
    $ jaxcnn check runs/digits-lenet5

    That is in float64, and drawn in RUN/gradients.png.
    """

    images: int = 8
    """How many test images to take, those that the network finds hardest."""


def run(options: CheckOptions) -> int:
    """Print the table and the verdict, draw gradients.png; returns 0, or 1 if the gradients differ."""
    from jaxcnn.cli.console import Console
    from jaxcnn.report import gradients, style
    from jaxcnn.train.evaluate import evaluate, examples_of
    from jaxcnn.train.gradients import check_model

    if options.images < 1:
        raise ValueError(f"--images is {options.images}; expected 1 or more.")
    model = options.model()
    dataset = options.dataset(model)
    images, labels = examples_of(model, dataset)
    check = check_model(model, images, labels, evaluate(model, images, labels), options.images)
    console = Console(soft_wrap=True)
    console.print_table(gradients.table(check))
    console.print(str(check))
    title = f"{model.card.network} on {dataset.name}: the size of its gradients, layer by layer"
    with style.or_warn(path := options.run / "gradients.png"):
        gradients.save(check, path, title=title)
        console.print(f"picture {path}")
    return 0 if check.agrees else 1
