"""Why a picture can't be read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")


def or_reason(read: Callable[..., T], file: Path | IO[bytes], *options: Any) -> T | str:
    """What `read` makes of the file, or the reason why it can't be read."""
    from PIL import UnidentifiedImageError

    path = file if isinstance(file, Path) else None
    if path and os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would wait for ever
        return "a folder, a pipe or a device"
    try:
        return read(file, *options)
    except UnidentifiedImageError:
        empty = path is not None and not path.stat().st_size
        return "the file is empty" if empty else "not a picture of any kind that Pillow reads"
    except FileNotFoundError:
        return "a broken link" if path and path.is_symlink() else "there is no such file"
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, struct.error, their own kinds, ...
        return str(error) or type(error).__name__
