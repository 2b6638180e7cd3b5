"""PyTorch's files, read without PyTorch: tensors as they were, and nothing else."""

import io
import os
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import ml_dtypes
import numpy as np
import pytest

from jaxcnn.interop import pth, safetensors


class Tensor:
    """What a file says of one: a view of a storage."""

    def __init__(self, storage, offset, size, stride):
        self.parts = storage, offset, size, stride

    def __reduce__(self):
        import torch._utils

        return torch._utils._rebuild_tensor_v2, (*self.parts, False, OrderedDict())


class Storage:
    def __init__(self, kind, key, array):
        self.kind, self.key, self.array = kind, key, array


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return "storage", getattr(sys.modules["torch"], value.kind), value.key, "cpu", len(value.array), *self.view
        return None

    view = ()


class StreamPickler(Pickler):
    view = (None,)


@pytest.fixture(autouse=True)
def torch(monkeypatch):
    """Modules of torch's names, so that pickles name what PyTorch's do."""
    made = {name: types.ModuleType(name) for name in ("torch", "torch._utils")}

    def named(module, name, value):
        value.__module__, value.__qualname__, value.__name__ = module, name, name
        setattr(made[module], name, value)

    named("torch._utils", "_rebuild_tensor_v2", lambda *_: None)
    for kind in ("FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "BoolStorage"):
        named("torch", kind, type(kind, (), {}))
    made["torch"]._utils = made["torch._utils"]
    for name, module in made.items():
        monkeypatch.setitem(sys.modules, name, module)


def pickled(value, pickler=Pickler):
    content = io.BytesIO()
    pickler(content, 2).dump(value)
    return content.getvalue()


def as_zip(path, value, storages, **more):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", value if isinstance(value, bytes) else pickled(value))
        for storage in storages:
            archive.writestr(f"net/data/{storage.key}", storage.array.tobytes())
        for name, content in more.items():
            archive.writestr(f"net/{name}", content)
    return path


def as_stream(path, value, storages):
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, value)
    keys = pickled([storage.key for storage in storages])
    numbers = [struct.pack("<q", len(s.array)) + s.array.tobytes() for s in storages]
    path.write_bytes(b"".join([*(pickled(part, StreamPickler) for part in head), keys, *numbers]))
    return path


NUMBERS = np.arange(24, dtype=np.float32)


@pytest.mark.parametrize("write", [as_zip, as_stream])
def test_views_of_a_storage_come_as_they_are(write, tmp_path):
    storage = Storage("FloatStorage", "0", NUMBERS)
    half = Storage("HalfStorage", "1", np.float16([1, 2]))
    brain = Storage("BFloat16Storage", "2", np.asarray([3, 4], ml_dtypes.bfloat16))
    count = Storage("LongStorage", "3", np.int64([7]))
    value = OrderedDict(
        whole=Tensor(storage, 0, (2, 3, 4), (12, 4, 1)),
        turned=Tensor(storage, 4, (4, 2), (1, 4)),
        half=Tensor(half, 0, (2,), (1,)),
        brain=Tensor(brain, 0, (2,), (1,)),
        more={"count": Tensor(count, 0, (), ()), "epoch": 3, "names": ["a"]},
    )
    found = pth.read(write(tmp_path / "net.pth", value, [storage, half, brain, count]))
    np.testing.assert_array_equal(found["whole"], NUMBERS.reshape(2, 3, 4))
    np.testing.assert_array_equal(found["turned"], NUMBERS[4:12].reshape(2, 4).T)
    assert found["half"].dtype == np.float16 and found["brain"].dtype == ml_dtypes.bfloat16
    assert found["brain"].astype(float).tolist() == [3, 4]
    assert found["more"]["count"].item() == 7 and found["more"]["epoch"] == 3 and found["more"]["names"] == ["a"]


class Calls:
    """A pickle that would run a command."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("write", [as_zip, as_stream])
@pytest.mark.parametrize(
    "call, name", [(Calls(os.system, "touch it"), "posix.system"), (Calls(eval, "1"), "__builtin__.eval")]
)
def test_a_file_that_would_call_something_is_refused_by_its_name(write, call, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "net.pth", {"weight": call}, [])
    for _ in range(2):
        with pytest.raises(pth.Unsafe, match=rf"net\.pth is refused: it would call {name.replace('.', '[.]')}, and"):
            pth.read(file)
    assert not (tmp_path / "it").exists()


def test_attributes_of_a_dict_are_left_out(tmp_path):
    value = OrderedDict(epoch=1)
    value._metadata = "of PyTorch's"
    found = pth.read(as_zip(tmp_path / "net.pth", value, []))
    assert found == {"epoch": 1} and not vars(found)


STORAGE = Storage("FloatStorage", "0", NUMBERS)
BEYOND = [
    (20, (8,), (1,)),
    (0, (5, 5), (5, 1)),
    (0, (2,), (24,)),
    (-1, (2,), (1,)),
    (0, (2, 2), (1,)),
    (0, (-1,), (1,)),
]


@pytest.mark.parametrize("offset, size, stride", BEYOND)
@pytest.mark.parametrize("write", [as_zip, as_stream])
def test_a_tensor_that_reaches_beyond_its_storage_is_damaged(write, offset, size, stride, tmp_path):
    file = write(tmp_path / "net.pth", {"w": Tensor(STORAGE, offset, size, stride)}, [STORAGE])
    with pytest.raises(ValueError, match=r"net\.pth is damaged: a tensor of the size"):
        pth.read(file)


@pytest.mark.parametrize("write", [as_zip, as_stream])
def test_a_file_that_is_cut_off_anywhere_is_named(write, tmp_path):
    file = write(tmp_path / "net.pth", {"w": Tensor(STORAGE, 0, (24,), (1,))}, [STORAGE])
    content = file.read_bytes()
    for end in range(0, len(content), 7):
        file.write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"net\.pth is damaged"):
            pth.read(file)


def test_other_files_are_named(tmp_path):
    for name, content in {"a": b"", "b": b"no pickle", "c": pickle.dumps([1, 2])}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is damaged"):
            pth.read(tmp_path / name)
    whole = as_zip(tmp_path / "whole", {"w": Tensor(STORAGE, 0, (24,), (1,))}, [STORAGE]).read_bytes()
    begins = {
        whole[:-30]: "it is cut short: the end of the zip archive is not there",
        safetensors.dump({"w": np.zeros(3, np.float32)}): "it is no file of PyTorch's, but begins as safetensors do",
        b"no pickle": "it is no file of PyTorch's",
        b"": "it is empty",
    }
    for content, said in begins.items():
        (tmp_path / "begin").write_bytes(content)
        with pytest.raises(ValueError, match=f"begin is damaged: {said}"):
            pth.read(tmp_path / "begin")
    network = as_zip(tmp_path / "net", {"weight": Calls(eval, "1")}, [])
    with pytest.raises(pth.Unsafe, match=r"whole network, write its weights alone: torch\.save\(net\.state_dict\(\), "):
        pth.read(network)
    program = as_zip(tmp_path / "p", {}, [], **{"constants.pkl": b"", "code/net.py": b""})
    with pytest.raises(ValueError, match=r"no state dict: a program \(TorchScript\)"):
        pth.read(program)
    short = Storage("FloatStorage", "0", NUMBERS[:5])
    with pytest.raises(ValueError, match="its storage 0 has 5 numbers; expected 24"):
        pth.read(as_zip(tmp_path / "s", {"w": Tensor(STORAGE, 0, (24,), (1,))}, [short]))
