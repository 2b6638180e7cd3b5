"""Where a run's arrays lie: on one device, or cut along the batch over a mesh of several, of one or more processes.

A step is the same program on any number of devices: what it gets is cut up, and XLA's partitioner does the rest. So
batch norm's statistics are the whole batch's, and a draw is what it would be on one device.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import Mesh, NamedSharding, PartitionSpec

Tree = TypeVar("Tree")
# Of an array: the axis to cut, the largest one that the devices divide, or none.
Axis = int | Literal["largest", "whole"]
CUT: Mapping[str, Axis] = {"*": "largest"}
SMALLEST = 2**14  # elements of an array that is worth cutting


@dataclass(frozen=True)
class Placement:
    """Which devices hold what. This one is JAX's first device, and holds everything."""

    @property
    def devices(self) -> int:
        """How many devices share a batch."""
        return 1

    def whole(self, tree: Tree) -> Tree:
        """The arrays on every device."""
        return jax.device_put(tree)

    def batch(self, tree: Any) -> Any:
        """Arrays of a batch, of which this process has its `part`: their first axis is cut over the devices."""
        return jax.device_put(tree)

    def part(self, rows: np.ndarray) -> np.ndarray:
        """Of the rows of a batch, the ones that this process reads."""
        return rows

    def like(self, shapes: Tree) -> Tree:
        """A train state's shapes, with how it is cut up."""
        return shapes

    def kept(self, tree: Tree) -> Tree:
        """Inside jit: a train state, cut up as the devices keep it from step to step."""
        return tree

    def gathered(self, tree: Tree) -> Tree:
        """Inside jit: whole on every device. So a step asks for its parameters, and never cuts up activations."""
        return tree

    def copied(self, tree: Tree) -> Tree:
        """The arrays where they lie, in buffers of their own. All processes call it together."""
        copy: Tree = jax.device_put(tree, may_alias=False)
        return copy

    def fetched(self, tree: Tree) -> Tree:
        """The arrays on this process's first device. All processes call it together."""
        return tree


ONE_DEVICE = Placement()


@dataclass(frozen=True)
class OnMesh(Placement):
    """Several devices, the axis "data" of a mesh.

    Attributes:
      mesh: of one axis, called "data".
      rules: how the arrays of a train state are cut over the devices as well: path patterns, such as "dense*/kernel",
        and for each the axis. The first that matches a path, or its end, decides; without one an array is whole. So
        what the optimizer and the average keep of a parameter is cut as the parameter is.
      smallest: elements of an array below which it is whole, whatever the rules say.
    """

    mesh: Mesh
    rules: Mapping[str, Axis] = field(default_factory=dict)
    smallest: int = SMALLEST

    @property
    def devices(self) -> int:
        return self.mesh.size

    @property
    def _whole(self) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def _by_row(self) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec("data"))

    def whole(self, tree: Tree) -> Tree:
        # Without the comparison between all processes that device_put makes.
        return jax.tree.map(lambda a: jax.make_array_from_process_local_data(self._whole, np.asarray(a)), tree)

    def batch(self, tree: Any) -> Any:
        return jax.tree.map(lambda a: jax.make_array_from_process_local_data(self._by_row, np.asarray(a)), tree)

    def part(self, rows: np.ndarray) -> np.ndarray:
        mine = self._by_row.addressable_devices_indices_map(rows.shape).values()
        first = {index[0].indices(len(rows))[:2] for index in mine if index is not None}
        return np.concatenate([rows[start:stop] for start, stop in sorted(first)])

    def like(self, shapes: Tree) -> Tree:
        def cut(path: tuple[Any, ...], a: Any) -> Any:
            return jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=self._sharding(path, a))

        return jax.tree.map_with_path(cut, shapes)

    def kept(self, tree: Tree) -> Tree:
        def cut(path: tuple[Any, ...], a: Array) -> Array:
            return jax.lax.with_sharding_constraint(a, self._sharding(path, a))

        return jax.tree.map_with_path(cut, tree)

    def gathered(self, tree: Tree) -> Tree:
        return jax.lax.with_sharding_constraint(tree, self._whole)

    def copied(self, tree: Tree) -> Tree:
        copy: Tree = jax.jit(partial(jax.tree.map, jnp.copy))(tree)  # what other processes hold can't be put anywhere
        return copy

    def fetched(self, tree: Tree) -> Tree:
        def fetch(a: Any) -> Any:
            if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
                return jax.random.wrap_key_data(fetch(jax.random.key_data(a)), impl=jax.random.key_impl(a))
            there = a.is_fully_addressable or a.is_fully_replicated
            return jax.device_put(np.asarray(a) if there else process_allgather(a, tiled=True))

        return jax.tree.map(fetch, tree)

    def _sharding(self, path: tuple[Any, ...], a: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        matching = (axis for pattern, axis in self.rules.items() if fnmatchcase(f"/{name}", f"*/{pattern}"))
        axis = next(matching, "whole")
        divided = [i for i, size in enumerate(a.shape) if size % self.devices == 0]
        if axis == "largest":
            axis = max(divided, key=lambda i: (a.shape[i], i), default="whole")
        if axis not in divided or math.prod(a.shape) < self.smallest:
            return self._whole
        return NamedSharding(self.mesh, PartitionSpec(*["data" if i == axis else None for i in range(a.ndim)]))
