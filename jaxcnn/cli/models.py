"""`jaxcnn models`: the networks that can be trained by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelsOptions:
    """List the networks: what they are, their parameters, the size of their images.
    $ jaxcnn models
    """


def run(options: ModelsOptions) -> int:
    """Print the table; returns 0."""
    from rich.table import Table

    from jaxcnn import models
    from jaxcnn.cli.console import Console

    table = Table("model")
    table.add_column("parameters", justify="right")
    table.add_column("images", justify="right")
    table.add_column("what it is")
    for name, about in models.ABOUT.items():
        side, _, channels = about.image_shape
        table.add_row(name, f"{about.parameters:,}", f"{side}²×{channels}", about.line)
    Console().print_table(table)
    print(
        "Or a network of your own: --model FILE.py:FUNCTION, a function that returns a layer for a number of classes."
    )
    return 0
