"""The weights of another library's file in a network of ours."""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.interop.convert import Entry, entries, from_torch, to_torch
from jaxcnn.interop.names import Table
from jaxcnn.layers import Layer, Params, State

Arrays = Mapping[str, np.ndarray]
COUNTS = r".*\.num_batches_tracked"  # of batch norm, which only momentum=None needs
MOST = 6  # names that a message lists


class Loaded(NamedTuple):
    """Params and state, and the library whose names the file has."""

    params: Params
    state: State
    library: str


class Mismatch(ValueError):
    """A file does not hold this network's weights."""


def load(
    network: Layer, params: Params, state: State, arrays: Arrays, tables: Mapping[str, Table], *, without: str = "(?!)"
) -> Loaded:
    """The network's params and state from a file's arrays.

    `params` and `state` say shapes and dtypes; of a layer whose path matches `without`, such as the head for other
    classes, they stay as they are. Of the tables the one counts that knows most of the file's names.

    Raises: Mismatch, with what the file lacks, what it has beyond, and the shapes that differ.
    """
    all_entries = entries(network, params, state)
    found = {library: (table, keys(table, all_entries), _renamed(table, arrays)) for library, table in tables.items()}
    library = max(found, key=lambda name: len(found[name][1].keys() & found[name][2].keys()))
    table, ours, theirs = found[library]
    for key in [key for key, entry in ours.items() if re.fullmatch(without, "/".join(entry.path[:-1]))]:
        del ours[key]
        theirs.pop(key, None)
    made: dict[str, Any] = {"params": jax.tree.map(lambda a: a, params), "state": jax.tree.map(lambda a: a, state)}
    wrong = []
    for key in ours.keys() & theirs.keys():
        *parents, name = ours[key].path
        there = made[ours[key].tree]
        for parent in parents:
            there = there[parent]
        try:
            there[name] = jnp.asarray(_fitted(table, ours[key], theirs[key], there[name].shape), there[name].dtype)
        except ValueError:
            wrong.append(f"{key} is {theirs[key].shape} for {'/'.join(ours[key].path)} {there[name].shape}")
    if wrong or ours.keys() != theirs.keys():
        raise Mismatch(_told(library, ours.keys() - theirs.keys(), theirs.keys() - ours.keys(), wrong))
    return Loaded(made["params"], made["state"], library)


def save(network: Layer, params: Params, state: State, table: Table) -> dict[str, np.ndarray]:
    """The network's arrays as the library has them, for its own loader: the inverse of `load`."""
    found = {}
    for key, entry in keys(table, entries(network, params, state)).items():
        array: Any = params if entry.tree == "params" else state
        for name in entry.path:
            array = array[name]
        path = "/".join(entry.path)
        ndim = next((ndim for pattern, ndim in table.axes if re.fullmatch(pattern, path)), None)
        found[key] = to_torch(entry, np.asarray(array), ndim, _flat(table, entry))
    return found


def keys(table: Table, of: list[Entry]) -> dict[str, Entry]:
    """What the library calls each array."""
    modules = table.modules(list(dict.fromkeys("/".join(entry.path[:-1]) for entry in of)))
    return {modules["/".join(entry.path[:-1])] + (f".{entry.leaf}" if entry.leaf else ""): entry for entry in of}


def _renamed(table: Table, arrays: Arrays) -> dict[str, np.ndarray]:
    """The file's arrays by the library's names of today, without what no network of ours has."""
    renamed = {}
    for key, array in arrays.items():
        for pattern, name in table.renamed:
            key = re.sub(pattern, name, key)
        if not re.fullmatch(f"{COUNTS}|{table.spare}", key):
            renamed[key] = array
    return renamed


def _fitted(table: Table, entry: Entry, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Their array as ours. Raises ValueError where it does not become one of this shape."""
    made = from_torch(entry, array, _flat(table, entry))
    if made.shape != shape:
        raise ValueError
    return made


def _flat(table: Table, entry: Entry) -> tuple[int, int] | None:
    if table.flat is None or table.flat[0] != "/".join(entry.path[:-1]):
        return None
    return table.flat[1:]


def _told(library: str, missing: Collection[str], spare: Collection[str], wrong: list[str]) -> str:
    said = [f"by {library}'s names"]
    for what, names in (("it lacks", missing), ("it has beyond the network", spare), ("shapes differ:", wrong)):
        if names:
            more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
            said.append(f"{what} {', '.join(sorted(names)[:MOST])}{more}")
    return "; ".join(said)
