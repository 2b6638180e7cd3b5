"""What a draw is, the table of spaces, and the choices that strategies share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

Ints = tuple[int, ...]
Drawn = Callable[[st.SearchStrategy[Any]], Any]
Rng = np.random.Generator
F = TypeVar("F", bound=Callable[..., st.SearchStrategy["Draw"]])


@dataclass(frozen=True, eq=False)
class Draw:
    """One call of a rule's door, `RULES[name](*args, **options)`.

    `args` are NumPy float64 arrays; integer labels and random keys have their own dtype, an absent bias is None.
    """

    args: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        shapes = ", ".join("None" if a is None else f"{a.dtype}{list(a.shape)}" for a in self.args)
        return f"Draw({shapes}; {self.options})"


SPACES: dict[str, st.SearchStrategy[Draw]] = {}


class _Worked(Exception):
    """Carries what a door hands to its rule out of the door."""


def worked_out(name: str, draw: Draw) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arrays (channels last) and the options (in numbers) that the door of rule `name` makes of `draw`.

    Floats have the dtype that JAX gives them: float64 only under `jax.enable_x64(True)`.
    """
    from jaxcnn.ops.rule import RULES

    rule = RULES[name]

    def carry(*arrays: Any, **options: Any) -> Any:
        raise _Worked(arrays, options)

    rule.apply = carry  # type: ignore[method-assign]
    try:
        rule(*draw.args, **draw.options)
    except _Worked as worked:
        arrays, options = worked.args
        return arrays, options
    finally:
        del rule.apply
    raise ValueError(f"{name}: its door returned without a call of {name}.apply; no backward pass belongs to {draw}.")


def space(*names: str) -> Callable[[F], F]:
    """Enter `strategy(name)` in SPACES for each name."""

    def enter(strategy: F) -> F:
        for name in names:
            SPACES[name] = strategy(name)
        return strategy

    return enter


def batch_size(draw: Drawn, *, empty: bool = True) -> int:
    """One, a few, or with `empty` none."""
    return draw(st.sampled_from([1, 2, 3, 0] if empty else [1, 2, 3]))


def generator(draw: Drawn) -> Rng:
    """Where an array's values come from."""
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


def drawn_shape(draw: Drawn, batch: int, *, least: int, most: int, longest: int = 7) -> Ints:
    """(batch, ...) with `least` to `most` further axes; those of rank 4 and more are shorter."""
    rank = draw(st.integers(least, most))
    return (batch, *(draw(st.integers(1, longest if rank < 3 else 4)) for _ in range(rank)))


def some_layout(draw: Drawn, image: Any, options: dict[str, Any]) -> Any:
    """The image, channels first in some draws."""
    if draw(st.booleans()):
        options["layout"] = "NCHW"
        return np.moveaxis(image, -1, 1)
    return image


def set_some(draw: Drawn, options: dict[str, Any], **choices: st.SearchStrategy[Any]) -> None:
    """Set each option in some draws, and leave it at its default in the plainest."""
    for name, values in choices.items():
        if draw(st.booleans()):
            options[name] = draw(values)


def output_sizes(draw: Drawn, shape: Ints) -> Ints:
    """Spatial sizes that the output of an image of this shape (n, *spatial, c) could be asked to have."""
    return tuple(draw(st.integers(1, 7 if len(shape) < 5 else 4)) for _ in shape[1:-1])


def collapsed(values: Ints) -> int | Ints:
    """One int for all axes where they are alike, as a caller would write it."""
    return values[0] if len(set(values)) == 1 else values
