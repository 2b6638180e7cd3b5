"""Checkpoints: any pytree of arrays, written by Orbax so that a killed write leaves the previous one whole.

A checkpoint called `last` is the folder `last/N`, N counting up. Orbax writes beside it and renames when all is on
disk; only then are older ones removed. So the highest N is always complete; of several that are kept the one before
it is taken where it is damaged. Nothing is pickled.

Orbax's files get a manifest: each one's SHA-256, by which a damaged one is found and named, and what the checkpoint is
to be remembered for. One without a manifest, of an earlier version or a process that was killed just then, is read all
the same, and damaged where it can't be.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")
Shapes = dict[str, tuple[int, ...] | None]
_MANIFEST = "manifest.txt"


class Damaged(ValueError):
    """A file of a checkpoint is not as it was written."""


def save(folder: Path, tree: Any, *, keep: int = 1, **remarks: float) -> None:
    """Make `tree` the checkpoint that `folder` holds, with `remarks` about it; returns when it is on disk.

    Beside it the `keep` - 1 before it stay. Raises OSError if it can't be written; what was there is whole.
    """
    if not folder.is_dir():
        remove(folder)  # a file, or a broken link
    newest = _newest(folder)
    target = folder.absolute() / ("0" if newest is None else str(int(newest.name) + 1))
    try:
        with _orbax(silent=True) as checkpointer:
            checkpointer.save(target, tree)
            checkpointer.wait_until_finished()
    except Exception as error:  # a full disk is Orbax's or TensorStore's ValueError, a lost folder something else
        for unfinished in folder.glob(f"{target.name}.*"):
            remove(unfinished)
        before = "there was none before it" if newest is None else f"the one before it, {newest}, is whole"
        raise OSError(f"the checkpoint {target} can't be written ({_one_line(error)}); {before}.") from error
    files = {file.relative_to(target).as_posix(): _hash(file) for file in sorted(target.rglob("*")) if file.is_file()}
    _write_manifest(target / _MANIFEST, json.dumps({"remarks": remarks, "files": files}, indent=2))
    kept = [path.name for path in _complete(folder)[:keep]]
    for other in folder.iterdir():
        if other.name not in kept:
            remove(other)


def remove(path: Path) -> None:
    """Remove a folder with all that it holds, a file or a link; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def exists(folder: Path) -> bool:
    """Whether `folder` holds a complete checkpoint. Raises Damaged if there is something, and no folder."""
    return _newest(folder) is not None


def check(folder: Path) -> dict[str, float]:
    """The remarks about the checkpoint that `folder` holds; none where it has no manifest.

    Raises Damaged, naming the file, unless all its files are as they were written, and FileNotFoundError as `restore`.
    """
    return _checked(_present(folder))


def restore(folder: Path, like: Tree) -> Tree:
    """The checkpoint in `folder`, in the structure of `like` (arrays or `jax.ShapeDtypeStruct`s).

    A random key is of the kind that was saved, whatever JAX's default is now. In the place of a damaged one the one
    before it is taken, with a warning. Raises FileNotFoundError if there is none, Damaged, about the newest, if the
    files of all are not as they were written, and ValueError if one holds other arrays than `like` has.
    """
    _present(folder)
    newest, *earlier = _complete(folder)
    try:
        return _restore(newest, like)
    except Damaged as error:
        for path in earlier:
            with contextlib.suppress(Damaged):
                restored = _restore(path, like)
                warnings.warn(f"{error}; {path}, saved before it, is taken in its place.", stacklevel=2)
                return restored
        raise


def _restore(newest: Path, like: Tree) -> Tree:
    _checked(newest)
    if not _has_manifest(newest):
        _read_through(newest)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), like)
    with _orbax() as checkpointer:
        with _blamed_on(f"checkpoint file {newest / '_METADATA'}"):
            metadata = checkpointer.metadata(newest.absolute()).item_metadata
            if metadata is None:
                raise FileNotFoundError("it is missing, or _sharding beside it is none of Orbax's")
        _check_same(newest, _shapes(metadata.tree), _shapes(like))
        with _blamed_on(f"checkpoint {newest}"):
            restored: Tree = checkpointer.restore(newest.absolute(), target)
    return restored


def _write_manifest(file: Path, text: str) -> None:
    """The text under its own hash, in one move."""
    new = file.with_name(file.name + ".new")
    new.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
    new.replace(file)


def _has_manifest(checkpoint: Path) -> bool:
    return os.path.lexists(checkpoint / _MANIFEST)  # a broken link is one, and damaged


def _checked(checkpoint: Path) -> dict[str, float]:
    manifest = checkpoint / _MANIFEST
    if not checkpoint.is_dir():
        raise Damaged(f"the checkpoint {checkpoint} is damaged: it is not a folder")
    if not _has_manifest(checkpoint):
        return {}
    own, _, text = manifest.read_bytes().partition(b"\n") if manifest.is_file() else (b"", b"", b"")
    if hashlib.sha256(text).hexdigest().encode() != own:
        raise Damaged(f"the checkpoint file {manifest} is damaged: its SHA-256 is not what its first line says")
    written = json.loads(text)
    for name, digest in written["files"].items():
        file = checkpoint / name
        if not file.is_file():
            raise Damaged(f"the checkpoint file {file} is damaged: it is {'no file' if file.exists() else 'missing'}")
        if _hash(file) != digest:
            raise Damaged(f"the checkpoint file {file} is damaged: its SHA-256 is no longer what it was")
    remarks: dict[str, float] = written["remarks"]
    return remarks


def _read_through(checkpoint: Path) -> None:
    """Read all that Orbax would, one file after the other, and raise Damaged for the first that can't be read.

    Orbax reads many arrays at once: where one fails the others find that nobody waits for them any more, each with a
    traceback on stderr, and the error that comes out is seldom the first.
    """
    import tensorstore

    for file in (*checkpoint.glob("_*"), *checkpoint.glob("array_metadatas/*")):
        with _blamed_on(f"checkpoint file {file}"):
            json.loads(file.read_bytes())
    store = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{checkpoint.absolute()}/"}}
    with _blamed_on(f"checkpoint {checkpoint}"):
        keys = [key.decode() for key in tensorstore.KvStore.open(store).result().list().result()]
        arrays = [key.removesuffix(".zarray") for key in keys if key.endswith("/.zarray")]
        if not arrays:
            raise FileNotFoundError("its manifest.ocdbt names no arrays, or is missing")
        for array in arrays:
            tensorstore.open({"driver": "zarr", "kvstore": store | {"path": array}}).result().read().result()


@contextmanager
def _blamed_on(what: str) -> Iterator[None]:
    """Whatever is raised inside is the fault of a file: there is no manifest, or it would have been found out."""
    try:
        yield
    except Exception as error:
        raise Damaged(f"the {what} is damaged: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:400]


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _present(folder: Path) -> Path:
    newest = _newest(folder)
    if newest is None:
        raise FileNotFoundError(f"{folder} holds no checkpoint")
    return newest


def _newest(folder: Path) -> Path | None:
    """The complete checkpoint with the highest number; an unfinished one has a longer name."""
    for path in (folder.parent, folder):
        if os.path.lexists(path) and not path.is_dir():
            raise Damaged(f"the checkpoint {folder} is damaged: {path} is not a folder")
    return next(iter(_complete(folder)), None)


def _complete(folder: Path) -> list[Path]:
    """The complete checkpoints, the newest first."""
    return sorted((child for child in folder.glob("*") if child.name.isdecimal()), key=lambda c: -int(c.name))


def _shapes(tree: Any) -> Shapes:
    """The shape of every array by its path; of a random key None, as each of JAX's kinds has its own."""

    def shape(leaf: Any) -> tuple[int, ...] | None:
        return None if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else tuple(leaf.shape)

    leaves, _ = jax.tree.flatten_with_path(tree, is_leaf=lambda leaf: hasattr(leaf, "shape"))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): shape(leaf) for path, leaf in leaves}


def _check_same(
    path: Path, saved: dict[str, tuple[int, ...] | None], wanted: dict[str, tuple[int, ...] | None]
) -> None:
    """`saved` has a random key's data where `wanted` has None."""
    known = {name: None if wanted.get(name, ()) is None else shape for name, shape in saved.items()}
    missing: tuple[int, ...] = (-1,)
    different = [name for name in known | wanted if known.get(name, missing) != wanted.get(name, missing)]
    if different:
        name = min(different, key=len)  # the parameter itself, rather than the optimizer's copies of it
        raise ValueError(
            f"the checkpoint {path} is of another network or optimizer: its {name} has shape "
            f"{saved.get(name, 'none (absent)')}, expected {wanted.get(name, 'none (absent)')}. "
            "Restore it with the model, classes and optimizer that it was trained with."
        )


@contextmanager
def _orbax(*, silent: bool = False) -> Iterator[Any]:
    """An Orbax checkpointer; imported here because that takes a second. Its log tells of errors, or of nothing."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL if silent else logging.ERROR)
    try:
        import orbax.checkpoint as ocp

        with ocp.StandardCheckpointer() as checkpointer:
            yield checkpointer
    finally:
        logger.setLevel(level)
