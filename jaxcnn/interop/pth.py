"""PyTorch's files (.pth, .pt, .bin) without PyTorch: tensors and the containers that they lie in, and nothing else.

Such a file is a pickle, which may call any function of Python's. Here it may not: what a pickle names is looked up in
`_KNOWN`, and any other name ends the reading before anything is called. Both of PyTorch's formats are read: a zip
archive (since version 1.6) and the one before it. Tensors come as NumPy arrays.
"""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import ml_dtypes
import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C  # of the format before zip archives
_DTYPES: dict[str, Any] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


class Unsafe(ValueError):
    """The file names what is neither a tensor nor a container."""


def read(file: Path) -> Any:
    """What `torch.save` wrote: containers with NumPy arrays in the place of tensors.

    Raises: ValueError, naming the file, for one that is truncated or of another format; Unsafe for one that would call
    anything but what tensors are made of.
    """
    try:
        with file.open("rb") as content:
            is_zip = zipfile.is_zipfile(content)
            content.seek(0)
            if not is_zip:
                _check_begin(content.read(16))
                content.seek(0)
            return _of_zip(content) if is_zip else _of_stream(content)
    except Unsafe as error:
        raise Unsafe(
            f"{file} is refused: {error}. If torch.save(net, ...) wrote it, a whole network, write its weights alone: "
            "torch.save(net.state_dict(), ...)."
        ) from None
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, struct.error, OverflowError) as error:
        raise ValueError(f"{file} is damaged, or no file of PyTorch's: {error or type(error).__name__}.") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is damaged: {error}.") from error


def _check_begin(begin: bytes) -> None:
    """Raises ValueError for what begins neither as a zip archive, which this is no whole one of, nor as a pickle."""
    if begin.startswith(b"PK"):
        raise ValueError("it is cut short: the end of the zip archive is not there")
    if begin[8:9] == b"{":
        raise ValueError("it is no file of PyTorch's, but begins as safetensors do; give it that ending")
    if not begin.startswith(b"\x80"):
        raise ValueError("it is empty" if not begin else "it is no file of PyTorch's")


class _Storage(NamedTuple):
    """The type of a storage, as a pickle names it."""

    dtype: Any


class _Dict(OrderedDict[Any, Any]):
    """An OrderedDict whose attributes, which a pickle may set, are left out."""

    def __setstate__(self, attributes: Any) -> None:
        pass


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray | None:
    """torch._utils._rebuild_tensor_v2: a view of a storage; None while its numbers are not read yet."""
    if isinstance(storage, _Storage):
        return None
    if not isinstance(storage, np.ndarray):
        raise ValueError("a tensor's storage is none")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError(f"a tensor of the size {size}, stride {stride} and offset {offset} is none")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and last >= len(storage):
        raise ValueError(f"a tensor of the size {tuple(size)} reaches beyond its {len(storage)} numbers")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False).copy()


def _parameter(data: Any, *_: Any) -> Any:
    """torch._utils._rebuild_parameter: a tensor that is trained."""
    return data


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Dict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
    **{("torch", name): _Storage(dtype) for name, dtype in _DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: IO[bytes], storage: Callable[[Any], Any]) -> None:
        super().__init__(content, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise Unsafe(f"it would call {module}.{name}, and holds more than tensors and containers") from None

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, *_ = pid
        if kind != "storage" or not isinstance(dtype, _Storage):
            raise ValueError(f"it refers to {kind!r}, which is no storage of numbers")
        return self._storage(pid)


def _of_zip(content: IO[bytes]) -> Any:
    """archive/data.pkl, and a file archive/data/KEY for each storage."""
    with zipfile.ZipFile(content) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if not pickles or any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise ValueError("it is no state dict: a program (TorchScript), or another archive")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("it is compressed, which PyTorch's own never are")
        folder = pickles[0].removesuffix("data.pkl")
        order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in archive.namelist() else b"little"
        if order != b"little":
            raise ValueError(f"its numbers are {order.decode()}-endian")
        read: dict[str, np.ndarray] = {}

        def storage(pid: Any) -> np.ndarray:
            _, kind, key, _, count = pid
            if key not in read:
                read[key] = np.frombuffer(archive.read(f"{folder}data/{key}"), kind.dtype)
            if len(read[key]) != count:
                raise ValueError(f"its storage {key} has {len(read[key])} numbers; expected {count}")
            return read[key]

        return _Unpickler(io.BytesIO(archive.read(pickles[0])), storage).load()


def _of_stream(content: IO[bytes]) -> Any:
    """Pickles of a magic number, the version, sizes of types, the object and its storages' keys; then their numbers.

    The object comes before its numbers, so it is read without them, and once more when they are there.
    """

    def none(pid: Any) -> Any:
        raise ValueError("its head refers to a storage")

    if _Unpickler(content, none).load() != _MAGIC:
        raise ValueError("it is no file of PyTorch's")
    for _ in ("version", "sizes of types"):
        _Unpickler(content, none).load()
    begin = content.tell()
    kinds: dict[str, tuple[Any, int]] = {}

    def noted(pid: Any) -> _Storage:
        _, kind, key, _, count, *view = pid
        if view and view[0] is not None:
            raise ValueError("one of its storages is a part of another")
        kinds[key] = kind.dtype, count
        return kind

    _Unpickler(content, noted).load()
    keys = _Unpickler(content, none).load()
    read: dict[str, np.ndarray] = {}
    for key in keys:
        dtype, count = kinds[key]
        if struct.unpack("<q", content.read(8)) != (count,):
            raise ValueError(f"its storage {key} has another size than the tensors say")
        numbers = content.read(count * np.dtype(dtype).itemsize)
        if len(numbers) != count * np.dtype(dtype).itemsize:
            raise EOFError(f"it ends within its storage {key}")
        read[key] = np.frombuffer(numbers, dtype)
    content.seek(begin)
    return _Unpickler(content, lambda pid: read[pid[2]]).load()
