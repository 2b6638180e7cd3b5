"""`jaxcnn summary`: a network's layers as a table."""

from dataclasses import dataclass

import tyro


@dataclass(frozen=True)
class SummaryOptions:
    """Show a network's layers: shapes, parameters, work and receptive field.
    $ jaxcnn summary vgg16 --input 224,224,3
    """

    model: tyro.conf.Positional[str]
    """The network, by a name that jaxcnn models lists; or FILE.py:FUNCTION, of your own."""
    input: str
    """The input's shape without the batch, as HEIGHT,WIDTH,CHANNELS, such as 224,224,3."""
    classes: int | None = None
    """Number of classes; otherwise as many as the network was published with."""


def run(options: SummaryOptions) -> int:
    """Print the table; returns 0. Raises ValueError for an unknown model or an input that does not fit it."""
    from jaxcnn.layers import summary
    from jaxcnn.models import create

    if options.classes is not None and options.classes < 1:
        raise ValueError(f"--classes is {options.classes}; expected 1 or more.")
    print(summary(create(options.model, options.classes), _shape(options.input)))  # in full, also on a narrow terminal
    return 0


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"--input is {text!r}; expected height, width and channels, such as 224,224,3.")
    return shape
