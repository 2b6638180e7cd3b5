"""Checkpoints on disk: pytrees of arrays, as `saver.Saver` wrote them, checked and restored.

A checkpoint called `last` is the folder `last/N`, N counting up: Orbax's files, and a manifest with each one's SHA-256,
by which a damaged one is found and named, and with what the checkpoint is to be remembered for. It gets the name N when
all is on disk; only then are older ones removed. So the highest N is always complete; of several that are kept the one
before it is taken where it is damaged. Nothing is pickled.

One without a manifest, which earlier versions left if they were killed just then, is read all the same, and damaged
where it can't be.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")
Shapes = dict[str, tuple[int, ...] | None]
_MANIFEST = "manifest.txt"
_WHY = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES)


class Damaged(ValueError):
    """A file of a checkpoint is not as it was written."""


def remove(path: Path) -> None:
    """Remove a folder with all that it holds, a file or a link; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def exists(folder: Path) -> bool:
    """Whether `folder` holds a complete checkpoint. Raises Damaged if there is something, and no folder."""
    return newest_in(folder) is not None


def check(folder: Path) -> dict[str, float]:
    """The remarks about the checkpoint that `folder` holds; none where it has no manifest.

    Raises Damaged, naming the file, unless all its files are as they were written, and FileNotFoundError as `restore`.
    """
    return _checked(_present(folder))


def restore(folder: Path, like: Tree, added: Collection[str] = ()) -> Tree:
    """The checkpoint in `folder`, in the structure of `like` (arrays or `jax.ShapeDtypeStruct`s).

    An array comes to lie where `like`'s sharding says, by default on the first device. Of several processes each calls
    this, with the same folder on a file system that they share, and reads its own part of a sharded array.

    Those called `added`, which earlier versions did not write, are 0 where they are not there.

    A random key is of the kind that was saved, whatever JAX's default is now. In the place of a damaged one the one
    before it is taken, with a warning. Raises FileNotFoundError if there is none, Damaged, about the newest, if the
    files of all are not as they were written, and ValueError if one holds other arrays than `like` has.
    """
    _present(folder)
    newest, *earlier = complete(folder)
    try:
        return _restore(newest, like, added)
    except Damaged as error:
        for path in earlier:
            with contextlib.suppress(Damaged):
                restored = _restore(path, like, added)
                if jax.process_index() == 0:
                    warnings.warn(f"{error}; {path}, saved before it, is taken in its place.", stacklevel=2)
                return restored
        raise


def _restore(newest: Path, like: Tree, added: Collection[str]) -> Tree:
    _checked(newest)
    if not _has_manifest(newest):
        _read_through(newest)
    first = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])

    def placed(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None) or first)

    with orbax() as checkpointer:
        with _blamed_on(f"checkpoint file {newest / '_METADATA'}"):
            metadata = checkpointer.metadata(newest.absolute()).item_metadata
            if metadata is None:
                raise FileNotFoundError("it is missing, or _sharding beside it is none of Orbax's")
        saved, wanted = _shapes(metadata.tree), _shapes(like)
        lacking = {name for name in added if name not in saved}
        _check_same(newest, saved, {name: shape for name, shape in wanted.items() if name not in lacking})
        with _blamed_on(f"checkpoint {newest}"):
            # Without a manifest a field that is not there may as well be damage.
            target = jax.tree.map(placed, like)
            known = _known(target, metadata.tree, lacking) if lacking or _has_manifest(newest) else target
            restored = _named(checkpointer.restore(newest.absolute(), known))
            restored |= {
                name: jnp.zeros(leaf.shape, leaf.dtype) for name, leaf in _named(target).items() if name in lacking
            }
    tree: Tree = jax.tree.map_with_path(lambda path, _: restored[_name(path)], like)
    return tree


def _known(like: Any, saved: Any, lacking: Collection[str], within: str = "") -> Any:
    """`like` without what is `lacking`, and its empty fields that were not saved: an earlier version's had fewer."""
    if dataclasses.is_dataclass(like):
        like = {field.name: getattr(like, field.name) for field in dataclasses.fields(like)}
    elif hasattr(like, "_asdict") and any(name.startswith(within) for name in lacking):
        like = like._asdict()
    if not isinstance(like, dict) or not isinstance(saved, dict):
        return like
    return {
        k: _known(v, saved.get(k), lacking, f"{within}{k}/")
        for k, v in like.items()
        if k in saved or (jax.tree.leaves(v) and f"{within}{k}" not in lacking)
    }


def seal(checkpoint: Path, remarks: Mapping[str, float]) -> None:
    """Write the manifest of a checkpoint whose files are all there: remarks and their hashes, under its own hash."""
    files = {f.relative_to(checkpoint).as_posix(): _hash(f) for f in sorted(checkpoint.rglob("*")) if f.is_file()}
    text = json.dumps({"remarks": remarks, "files": files}, indent=2)
    (checkpoint / _MANIFEST).write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")


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
        raise Damaged(f"the {what} is damaged: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """What went wrong: what the system says, where Orbax and TensorStore wrap it in much else."""
    said = " ".join(str(error).split()) or type(error).__name__
    of_system = next((why for number in _WHY if (why := os.strerror(number)) in said), None)
    return of_system or said[:400]


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _present(folder: Path) -> Path:
    newest = newest_in(folder)
    if newest is None:
        raise FileNotFoundError(f"{folder} holds no checkpoint")
    return newest


def newest_in(folder: Path) -> Path | None:
    """The complete checkpoint with the highest number; an unfinished one has a longer name."""
    for path in (folder.parent, folder):
        if os.path.lexists(path) and not path.is_dir():
            raise Damaged(f"the checkpoint {folder} is damaged: {path} is not a folder")
    return next(iter(complete(folder)), None)


def complete(folder: Path) -> list[Path]:
    """The complete checkpoints, the newest first."""
    return sorted((child for child in folder.glob("*") if child.name.isdecimal()), key=lambda c: -int(c.name))


def _shapes(tree: Any) -> Shapes:
    """The shape of every array by its path; of a random key None, as each of JAX's kinds has its own."""

    def shape(leaf: Any) -> tuple[int, ...] | None:
        return None if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else tuple(leaf.shape)

    return {name: shape(leaf) for name, leaf in _named(tree).items()}


def _named(tree: Any) -> dict[str, Any]:
    """Every array, or what describes one, by its path."""
    return {_name(path): leaf for path, leaf in jax.tree.leaves_with_path(tree, is_leaf=_is_array)}


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _is_array(leaf: Any) -> bool:
    return hasattr(leaf, "shape")


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
def orbax() -> Iterator[Any]:
    """An Orbax checkpointer; imported here because that takes a second. Its logs are silent: errors are raised.

    One of them is asyncio's, which tells of whatever else was being written where a write fails.
    """

    def of_others(record: logging.LogRecord) -> bool:
        return "orbax" not in Path(record.pathname).parts

    logger, loops = logging.getLogger("absl"), logging.getLogger("asyncio")
    level = loops.level
    logger.addFilter(of_others)
    loops.setLevel(logging.CRITICAL)
    try:
        import orbax.checkpoint as ocp

        # A thread that makes a save's folder is not waited for where the save fails: its error would be a later one's.
        options = ocp.options.AsyncOptions(create_directories_asynchronously=False)
        with ocp.StandardCheckpointer(async_options=options) as checkpointer:
            yield checkpointer
    finally:
        logger.removeFilter(of_others)
        loops.setLevel(level)
