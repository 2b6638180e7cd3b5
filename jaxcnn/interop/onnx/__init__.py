"""ONNX files: a network written as one, and one read."""

from typing import Any


def package() -> Any:
    """The package onnx. Raises ValueError, saying how to install it, where it is not."""
    try:
        import onnx
    except ImportError as error:
        raise ValueError('an ONNX file needs the package onnx; install it with: pip install "jaxcnn[onnx]".') from error
    return onnx
