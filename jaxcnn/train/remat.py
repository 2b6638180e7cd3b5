"""Rematerialisation: what is computed in a block is computed once more on the way back, rather than kept.

Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
from jax import Array

from jaxcnn.layers import Layer, Params, State
from jaxcnn.layers.combine import Branches, Chain


@dataclass(frozen=True, repr=False)
class Blocks(Chain):
    """A chain that keeps for the way back what goes into each of its blocks, and no more.

    A block begins at each part with branches, such as a residual one, and at each with a kernel; normalisation,
    activation and pooling behind it belong to it. A part that has such blocks itself is no part of one.
    """

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        new: State = {}
        for block in self._blocks(params):

            def computed(params: Params, state: State, x: Array, key: Array | None, block: Chain = block) -> Any:
                return block.apply(params, state, x, train=train, key=key)

            has_own = isinstance(block.parts[0][1], Blocks)
            p, s = ({name: tree[name] for name, _ in block.parts if name in tree} for tree in (params, state))
            x, changed = (computed if has_own else jax.checkpoint(computed))(p, s, x, key)
            new |= changed
        return x, new

    def _blocks(self, params: Params) -> Iterator[Chain]:
        block: list[tuple[str, Layer]] = []
        for name, part in self.parts:
            begins = isinstance(part, Branches | Blocks) or "kernel" in params.get(name, {})
            if block and (begins or isinstance(block[-1][1], Blocks)):
                yield Chain(tuple(block))
                block = []
            block.append((name, part))
        if block:
            yield Chain(tuple(block))


def rematerialised(network: Layer) -> Layer:
    """The network in blocks. Its parameters and state lie where they did, and its random numbers are the same.

    Raises: ValueError for a network that is not a chain.
    """
    if not isinstance(network, Chain):
        raise ValueError(f"remat goes by the blocks of a chain, and the network is a {type(network).__name__}.")
    parts = ((name, rematerialised(part) if isinstance(part, Chain) else part) for name, part in network.parts)
    return Blocks(tuple(parts))
