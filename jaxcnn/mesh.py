"""Operations on a mesh with explicit axes, where each array's type says how it is cut up for the devices.

There JAX asks each function in turn how its result is cut up, and refuses what it can't tell: a sum over a cut axis, a
gather, a slice. `automatic` asks once, for the whole operation, and leaves the rest to XLA's partitioner, as on a mesh
with automatic axes. So what an operation does, in either mode of differentiation, needs to know nothing of it.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import PartitionSpec, auto_axes, reshard, use_abstract_mesh


def automatic(function: Callable[..., Any], like: Callable[..., Any], *arrays: Any) -> Any:
    """`function(*arrays)`, computed with automatic axes; its results are cut up as those of `like`.

    Where JAX can't tell how those are, they are cut along their first axis as the first array is, if it is as long.
    Arrays may be None.
    """
    context = jax.sharding.get_abstract_mesh()
    types = [jax.typeof(a) for a in arrays if a is not None]
    mesh = next((mesh for mesh in (*(a.sharding.mesh for a in types), context) if mesh.explicit_axes), None)
    if mesh is None:
        return function(*arrays)
    if context.explicit_axes:  # an array of no mesh is whole everywhere; saying so gives its cotangent the mesh, too
        arrays = tuple(a if a is None else reshard(a, jax.typeof(a).sharding.spec) for a in arrays)
    with use_abstract_mesh(mesh):
        return auto_axes(function, axes=mesh.explicit_axes, out_sharding=_cut(like, arrays))(*arrays)


def cut_as(like: Any, array: Any) -> Any:
    """The array, on a mesh with explicit axes cut up as `like` is, which has its shape."""
    sharding = jax.typeof(like).sharding
    return reshard(array, sharding) if sharding.mesh.explicit_axes else array


def _cut(like: Callable[..., Any], arrays: tuple[Any, ...]) -> Any:
    """How the results are cut up: a `PartitionSpec` for each."""
    types = [None if a is None else jax.typeof(a) for a in arrays]
    try:
        cut = [a and jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding) for a in types]
        return jax.tree.map(lambda a: a.sharding.spec, jax.eval_shape(like, *cut))
    except Exception:  # JAX raises several kinds of errors
        first = jax.typeof(arrays[0])
        by = PartitionSpec(*first.sharding.spec[:1])
        whole = jax.eval_shape(like, *(a and jax.ShapeDtypeStruct(a.shape, a.dtype) for a in types))
        return jax.tree.map(lambda a: by if a.shape[:1] == first.shape[:1] else PartitionSpec(), whole)
