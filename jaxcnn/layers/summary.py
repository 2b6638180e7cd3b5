"""The table of a network: shapes, parameters, work, receptive field, and what the stride leaves unseen."""

from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxcnn.layers.base import Layer
from jaxcnn.layers.describe import Field, Row
from jaxcnn.ops.arguments import explained

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Summary:
    """One `Row` for each layer; prints as a table. Counts are numbers of values, work is for one example."""

    input_shape: tuple[int, ...]
    rows: tuple[Row, ...]

    @property
    def trainable(self) -> int:
        """Parameters that training changes."""
        return sum(row.trainable for row in self.rows)

    @property
    def fixed(self) -> int:
        """Values that training does not change by gradient: running statistics, spectral norm's vector."""
        return sum(row.fixed for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one example's forward pass, in convolutions and dense layers."""
        return sum(row.multiply_adds for row in self.rows)

    def __rich__(self) -> "Table":
        from rich.table import Table

        table = Table(title=f"input {_shape(self.input_shape)}", show_footer=True)
        table.add_column("layer", "total")
        table.add_column("kind")
        table.add_column("output")
        table.add_column("parameters", f"{self.trainable + self.fixed:,}", justify="right")
        table.add_column("trainable", f"{self.trainable:,}", justify="right")
        table.add_column("not trainable", f"{self.fixed:,}", justify="right")
        table.add_column("multiply-adds", f"{self.multiply_adds:,}", justify="right")
        table.add_column("receptive field", justify="right")
        table.add_column("unseen")
        for row in self.rows:
            counts = (row.trainable + row.fixed, row.trainable, row.fixed, row.multiply_adds)
            table.add_row(
                row.path,
                row.kind,
                _shape(row.shape),
                *(f"{count:,}" for count in counts),
                str(row.field),
                _unseen(row.unseen),
            )
        return table

    def __str__(self) -> str:
        from rich.console import Console

        out = StringIO()
        Console(file=out, width=160, color_system=None, force_jupyter=False).print(self)
        return out.getvalue().rstrip()


@explained
def summary(model: Layer, input_shape: tuple[int, ...]) -> Summary:
    """Describe `model` for inputs of `input_shape`, without the batch: (h, w, c). Nothing is computed.

    Raises ValueError, naming the layer, if the input does not fit the network.
    """
    x = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    ones = (1,) * (len(input_shape) - 1)
    rows, _, _ = model.rows(x, Field(size=ones, jump=ones))
    return Summary(tuple(input_shape), tuple(rows))


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _unseen(unseen: tuple[int, ...]) -> str:
    """'1 row, 1 column': of the layer's input, what no window touches."""
    names = {1: ["position"], 2: ["row", "column"], 3: ["plane", "row", "column"]}.get(len(unseen), [])
    return ", ".join(f"{n} {name}{'s' if n > 1 else ''}" for n, name in zip(unseen, names, strict=True) if n)
