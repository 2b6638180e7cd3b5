"""What the code under test raised, and where in it."""

import sysconfig
import traceback
from pathlib import Path

import jax

_HERE, _STANDARD = Path(__file__).parent, Path(sysconfig.get_path("stdlib"))
_INSTALLED = {Path(jax.__file__).parent.parent, *(Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib"))}
_LIBRARIES = [_STANDARD, *_INSTALLED, _HERE.parent]
_MACHINERY = [_STANDARD, *(folder / name for folder in _INSTALLED for name in ("jax", "jaxlib", "numpy")), _HERE]


def raised(error: Exception) -> str:
    """An exception in a sentence: its type, the first paragraph of what it says, and where it was raised."""
    return f"raised {type(error).__name__}: {str(error).strip().split(chr(10) * 2)[0]}{where(error)}"


def where(error: Exception) -> str:
    """ " (mine.py:12, in backward)": the innermost line that is no library's, or else not JAX's; "" without one."""
    steps = list(traceback.walk_tb(error.__traceback__))[::-1]
    for foreign in (_LIBRARIES, _MACHINERY):
        for frame, line in steps:
            file = Path(frame.f_code.co_filename)
            if not any(file.is_relative_to(folder) for folder in foreign):
                shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
                return f" ({shown}:{line}, in {frame.f_code.co_name})"
    return ""
