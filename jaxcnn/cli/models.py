"""`jaxcnn models`: the networks that can be trained by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelsOptions:
    """List the networks: parameters, for as many classes as published, and the images that they are made for."""


def run(options: ModelsOptions) -> int:
    """Print the table; returns 0."""
    import jax
    import jax.numpy as jnp
    from rich.table import Table

    from jaxcnn import models
    from jaxcnn.cli.console import Console

    table = Table("model")
    table.add_column("parameters", justify="right")
    table.add_column("images", justify="right")
    table.add_column("what it is")
    for name, about in models.ABOUT.items():
        x = jax.ShapeDtypeStruct((1, *about.image_shape), jnp.float32)
        params, _ = jax.eval_shape(models.create(name).init, jax.random.key(0), x)
        count = sum(leaf.size for leaf in jax.tree.leaves(params))
        table.add_row(name, f"{count:,}", "×".join(map(str, about.image_shape)), about.line)
    Console().print_table(table)
    print(
        "Or a network of your own: --model FILE.py:FUNCTION, a function that returns a layer for a number of classes."
    )
    return 0
