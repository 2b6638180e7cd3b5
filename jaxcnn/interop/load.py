"""The weights of another library's file in a network of ours."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from jaxcnn.interop.convert import Entry, entries
from jaxcnn.interop.flat import Sizes
from jaxcnn.interop.names import Table
from jaxcnn.layers import Layer, Params, State

Arrays = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]
COUNTS = r".*\.num_batches_tracked"  # of batch norm, which only momentum=None needs
MOST = 6  # names that a message lists


class Loaded(NamedTuple):
    """Params and state, and the library whose names the file has."""

    params: Params
    state: State
    library: str


class Mismatch(ValueError):
    """A file does not hold this network's weights.

    Attributes:
      missing, spare: the shapes, in the library's order, of what the file lacks and of what it has beyond the network.
      wrong: the arrays of the network for which the file's have another shape or are no floating point numbers.
    """

    def __init__(self, library: str, missing: Shapes, spare: Shapes, wrong: Mapping[str, tuple[Entry, str]]) -> None:
        self.missing, self.spare, self.wrong = missing, spare, wrong
        lists = (
            ("it lacks", [f"{key} {shape}" for key, shape in missing.items()]),
            ("it has beyond the network", [f"{key} {shape}" for key, shape in spare.items()]),
            ("what does not fit:", [f"{key} is {said}" for key, (_, said) in wrong.items()]),
        )
        told = [f"{what} {_first(sorted(names))}" for what, names in lists if names]
        super().__init__("; ".join([f"by {library}'s names" if library else "by the names given", *told]))


class NotFinite(ValueError):
    """A file's weights are not all numbers: they are NaN or infinite."""


class Match(NamedTuple):
    """The table that knows most of a file's names; our entries and the file's arrays, by the names of the table."""

    library: str
    table: Table
    ours: dict[str, Entry]
    theirs: dict[str, np.ndarray]


def match(network: Layer, params: Params, state: State, arrays: Arrays, tables: Mapping[str, Table]) -> Match:
    """The table that knows most of the file's names."""
    found = []
    for library, table in tables.items():
        ours = keys(table, entries(network, params, state))
        theirs = _renamed(table, arrays)
        found.append(Match(library, table, ours, _in_order(table, ours, theirs) if table.in_order else theirs))
    return max(found, key=lambda match: len(match.ours.keys() & match.theirs.keys()))


def load(
    network: Layer,
    params: Params,
    state: State,
    arrays: Arrays,
    tables: Mapping[str, Table],
    *,
    without: str = "(?!)",
    flat: Mapping[str, Sizes] = MappingProxyType({}),
) -> Loaded:
    """The network's params and state from a file's arrays.

    `params` and `state` say shapes and dtypes; of a layer whose path matches `without`, such as the head for other
    classes, they stay as they are. Of the tables the one counts that knows most of the file's names. `flat` are the
    layers that take flattened images, see `flattened`; what a table says of them counts more.

    Raises: Mismatch, with what the file lacks, what it has beyond, and what is of another shape or kind; NotFinite.
    """
    library, table, ours, theirs = match(network, params, state, arrays, tables)
    for key in [key for key, entry in ours.items() if re.fullmatch(without, _layer(entry))]:
        del ours[key]
        theirs.pop(key, None)
    made: dict[str, Any] = {"params": jax.tree.map(lambda a: a, params), "state": jax.tree.map(lambda a: a, state)}
    wrong, infinite = {}, {}
    for key in sorted(ours.keys() & theirs.keys()):
        *parents, name = ours[key].path
        there = made[ours[key].tree]
        for parent in parents:
            there = there[parent]
        try:
            there[name] = jnp.asarray(
                _fitted(table, ours[key], theirs[key], there[name].shape, flat), there[name].dtype
            )
            if count := np.count_nonzero(~np.isfinite(there[name])):
                infinite[key] = count
        except ValueError as error:
            wrong[key] = ours[key], f"{error} for {'/'.join(ours[key].path)} {there[name].shape}"
    if wrong or ours.keys() != theirs.keys():
        empty_params, empty_state = _empty((params, state))
        written = save(network, empty_params, empty_state, table)
        missing = {key: written[key].shape for key in ours.keys() - theirs.keys()}
        raise Mismatch(library, missing, {key: theirs[key].shape for key in theirs.keys() - ours.keys()}, wrong)
    if infinite:
        key, count = next(iter(infinite.items()))
        more = f", and {len(infinite) - 1} more arrays do" if infinite.keys() - {key} else ""
        raise NotFinite(
            f"{key} holds {count:,} NaN or infinities, of {theirs[key].size:,} numbers{more}. Such weights are "
            "lost, as by a training that diverged; take those of an earlier step"
        )
    return Loaded(made["params"], made["state"], library)


def _empty(trees: Any) -> Any:
    """Arrays of these shapes that take no memory."""
    return jax.tree.map(lambda a: np.broadcast_to(np.float32(0), a.shape), trees)


def save(network: Layer, params: Params, state: State, table: Table) -> dict[str, np.ndarray]:
    """The network's arrays as the library has them, for its own loader: the inverse of `load`."""
    found = {}
    for key, entry in keys(table, entries(network, params, state)).items():
        array: Any = params if entry.tree == "params" else state
        for name in entry.path:
            array = array[name]
        path = "/".join(entry.path)
        ndim = next((ndim for pattern, ndim in table.axes if re.fullmatch(pattern, path)), None)
        found[key] = table.convention.write(
            entry, _channels(table, entry, np.asarray(array)), ndim, _flat(table, entry)
        )
    return found


def keys(table: Table, of: list[Entry]) -> dict[str, Entry]:
    """What the library calls each array."""
    modules = table.modules(list(dict.fromkeys(_layer(entry) for entry in of)))
    return {table.convention.key(modules[_layer(entry)], entry): entry for entry in of}


def _layer(entry: Entry) -> str:
    return "/".join(entry.path[:-1])


def _renamed(table: Table, arrays: Arrays) -> dict[str, np.ndarray]:
    """The file's arrays by the library's names of today, without what no network of ours has."""
    renamed = {}
    for key, array in arrays.items():
        for pattern, name in table.renamed:
            key = re.sub(pattern, name, key)
        if not re.fullmatch(f"{COUNTS}|{table.spare}", key):
            renamed[key] = array
    return renamed


def _in_order(table: Table, ours: dict[str, Entry], theirs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The file's arrays by the table's names, where it has as many layers by others: layer by layer, as they come."""
    modules = table.modules(list(dict.fromkeys(_layer(entry) for entry in ours.values())))
    named = [modules[path] for path in table.in_order(modules)] if table.in_order else []
    found = list(dict.fromkeys(key.rpartition("/")[0] for key in theirs))
    if len(found) != len(named) or set(found) == set(named):
        return theirs
    new = dict(zip(found, named, strict=True))
    return {f"{new[key.rpartition('/')[0]]}/{key.rpartition('/')[2]}": array for key, array in theirs.items()}


def _fitted(
    table: Table, entry: Entry, array: np.ndarray, shape: tuple[int, ...], flat: Mapping[str, Sizes]
) -> np.ndarray:
    """Their array as ours. Raises ValueError where it does not become one of this shape, and for whole numbers."""
    if array.dtype.kind != "f" and array.dtype != ml_dtypes.bfloat16:
        raise ValueError(array.dtype)
    try:
        made = table.convention.read(entry, array, _flat(table, entry) or flat.get(_layer(entry)))
    except ValueError:
        made = None
    if made is None or made.shape != shape:
        raise ValueError(array.shape)
    return _channels(table, entry, made)


def _channels(table: Table, entry: Entry, array: np.ndarray) -> np.ndarray:
    """With the other order of colours, where that of the library is not ours."""
    return array[..., ::-1, :] if entry.path[-1] == "kernel" and _layer(entry) == table.bgr else array


def _flat(table: Table, entry: Entry) -> Sizes | None:
    if table.flat is None or table.flat[0] != _layer(entry):
        return None
    return table.flat[1:]


def _first(names: list[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
