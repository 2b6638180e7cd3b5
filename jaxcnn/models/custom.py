"""A network of the user's own: a function in a file, `FILE.py:FUNCTION`, that is given the number of classes.

The file stands alone. A run keeps a copy of it and nothing else, so what it imports must be installed: its own folder
is not looked in, lest a run be trained that can't be taken up elsewhere.
"""

import hashlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxcnn.layers import Layer


@dataclass(frozen=True)
class Source:
    """What the file holds, and the function in it. `path` is where it was read, for messages.

    Building the network runs the file.
    """

    path: Path
    function: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def network(self, classes: int | None = None) -> Layer:
        """What the function makes of the number of classes; ValueError if the file or the function fails."""
        make = function_in(self._module(), self.function, f"create: {self.path}")
        with self._blamed(f"{self.function}({'' if classes is None else classes})"):
            network = make() if classes is None else make(classes)
        if not isinstance(network, Layer):
            raise ValueError(
                f"create: {self.function} in {self.path} returned {network!r:.80}; expected a layer, such as "
                "jaxcnn.layers.chain(...)."
            )
        return network

    def _module(self) -> ModuleType:
        """The file as a module, run once for each content: a layer's class then is one, wherever a copy of it lies."""
        name = f"jaxcnn_network_{self.sha256[:16]}"
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        module.__file__ = str(self.path)
        sys.modules[name] = module  # dataclasses look their module up there
        try:
            with self._blamed("running it"), _not_first(self.path.absolute().parent):
                exec(compile(self.content, self.path, "exec", dont_inherit=True), vars(module))
        except BaseException:
            del sys.modules[name]
            raise
        return module

    @contextmanager
    def _blamed(self, doing: str) -> Iterator[None]:
        try:
            yield
        except ModuleNotFoundError as error:
            wanted = (error.name or "").partition(".")[0]
            beside = self.path.absolute().parent / wanted
            if not beside.is_dir() and not beside.with_suffix(".py").is_file():
                raise ValueError(f"create: {self.path} imports {error.name!r}, which is not installed.") from error
            raise ValueError(
                f"create: {self.path} imports {error.name!r}, which lies beside it: a run keeps a copy of "
                f"{self.path.name} alone. Put what it needs into {self.path.name}, or install {wanted!r}."
            ) from error
        except (Exception, SystemExit) as error:
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if self._is_mine(frame)]
            line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
            kind = type(error).__name__ + (f" in line {line}" if line else "")
            said = str(getattr(error, "msg", error)).rstrip(".")
            raise ValueError(f"create: {self.path}: {doing} raised {kind}: {said}.") from error

    def _is_mine(self, frame: traceback.FrameSummary) -> bool:
        module = sys.modules.get(f"jaxcnn_network_{self.sha256[:16]}")
        return frame.filename in (str(self.path), getattr(module, "__file__", None))


def is_file(name: str) -> bool:
    """Whether that is meant as FILE.py:FUNCTION."""
    return name.endswith(".py") or ".py:" in name


def split(name: str) -> tuple[Path, str]:
    """FILE.py and FUNCTION. Raises ValueError for anything else."""
    file, _, function = name.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise ValueError(f"create: model is {name!r}; expected FILE.py:FUNCTION, such as nets.py:net.")
    return Path(file).expanduser(), function


def read(name: str) -> Source:
    """The source that FILE.py:FUNCTION means. Raises ValueError if there is no such file."""
    path, function = split(name)
    try:
        return Source(path, function, path.read_bytes())
    except OSError as error:
        raise ValueError(f"create: model is {name!r}, but {path} can't be read ({error.strerror}).") from error


def function_in(module: ModuleType, name: str, where: str) -> Any:
    """The function (or another callable) of that name. Raises ValueError with those that it defines."""
    if not callable(getattr(module, name, None)):
        mine = {n: v for n, v in vars(module).items() if getattr(v, "__module__", None) == module.__name__}
        names = sorted(n for n, v in mine.items() if callable(v) and not n.startswith("_"))
        raise ValueError(f"{where} has no function {name!r}; it has {', '.join(names) or 'none'}.")
    return getattr(module, name)


@contextmanager
def _not_first(folder: Path) -> Iterator[None]:
    """Without that folder at the head of sys.path, where `python -m` puts the working directory."""
    before = sys.path
    first = Path(before[0] if before else "").absolute()
    sys.path = before[1:] if before and first == folder else before
    try:
        yield
    finally:
        sys.path = before
