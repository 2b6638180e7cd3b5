"""Where oneDNN is on this machine, and what it can do: the handlers, loaded when first asked for.

Those of `onednn.cc`, `winograd.cc`, `direct.cc`, `depthwise.cc`, `sums.cc` and `pool.cc` are compiled when jaxcnn is
installed; oneDNN itself, any `libdnnl.so.3`, is looked for when they are loaded: the one that pip installed
(`onednn-cpu-gomp`) first, then wherever the system's loader looks. Its symbols stay private, so that another oneDNN in
the process, such as PyTorch's, does not meet them.
"""

import ctypes
import functools
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

TARGET = "jaxcnn_onednn_convolve"  # what XLA calls the handler of convolutions
WINOGRAD = "jaxcnn_winograd"  # and that of some of them which takes fewer multiplications
WINOGRAD_TOGETHER = "jaxcnn_winograd_together"  # and fewer still, of small images laid together
WINOGRAD_BFLOAT16 = "jaxcnn_winograd_bfloat16"  # and these in bfloat16
DIRECT = "jaxcnn_direct"  # and that which sums them as they are defined
DEPTHWISE = "jaxcnn_depthwise"  # and that of those in which each channel has a kernel of its own
POOLING = ("jaxcnn_max_pool", "jaxcnn_max_pool_backward")  # max pooling, forward and backward
SUMS = ("jaxcnn_moments", "jaxcnn_products")  # batch norm's, and those of its backward
TARGETS = (TARGET, WINOGRAD, WINOGRAD_TOGETHER, WINOGRAD_BFLOAT16, DIRECT, DEPTHWISE, *SUMS, *POOLING)
AMD = "jaxcnn_amd"  # tells whose machine it is
ISA = "jaxcnn_onednn_isa"  # and what it can do, as far as oneDNN may use it
KEPT = "jaxcnn_kept"  # how many bytes the handlers keep
AVX512, AMX = 0x27, 0xFEF  # as dnnl_types.h numbers these: a bit for each thing
RUNTIME = "onednn-cpu-gomp"


@dataclass(frozen=True)
class Missing:
    """Why there are no oneDNN kernels."""

    reason: str
    part: str  # "handlers", "oneDNN" or "jaxlib"


class Library:
    """The loaded handlers, and the oneDNN under them."""

    def __init__(self, handlers: ctypes.CDLL, path: str) -> None:
        self.path = path
        self.version = "{}.{}".format(*_version(handlers.jaxcnn_onednn_version))
        amd = handlers[AMD]
        amd.restype = ctypes.c_bool
        self._amd = bool(amd())
        isa = int(handlers[ISA]())
        self.instructions = "amx" if isa & AMX == AMX else "avx512" if isa & AVX512 == AVX512 else "avx2"
        self._kept = handlers[KEPT]
        self._kept.restype = ctypes.c_int64
        self._implementation = handlers.jaxcnn_onednn_implementation
        self._implementation.restype = ctypes.c_char_p

    @property
    def kept(self) -> int:
        """The bytes that the handlers keep from call to call, to work in."""
        return int(self._kept())

    @functools.lru_cache(maxsize=4096)  # noqa: B019 -- there is one library, and it is never freed
    def implementation(self, numbers: tuple[int, ...], vectors: tuple[tuple[int, ...], ...]) -> str:
        """What oneDNN would run for a problem, in the order that onednn.cc takes it; empty where it can't."""
        arrays = [(ctypes.c_int64 * len(vector))(*vector) for vector in vectors]
        return str(self._implementation(*map(ctypes.c_int64, numbers), *arrays).decode())

    def multiplies_bfloat16(self, implementation: str) -> bool:
        """Whether one multiplies bfloat16 faster than this machine does float32.

        AMX does. AVX512_BF16 makes two products where a float32 unit makes one, but Intel has two of these and one of
        the former.
        """
        return "amx" in implementation or ("avx512_core_bf16" in implementation and self._amd)


@functools.cache
def find() -> Library | Missing:
    """The library, with its handlers registered; or why there is none."""
    spec = importlib.util.find_spec("jaxcnn.kernels._onednn")
    if spec is None or spec.origin is None:
        return Missing("the oneDNN kernels were not built when jaxcnn was installed", "handlers")
    try:
        path, handlers = _load(spec.origin)
    except OSError as error:
        return Missing(f"oneDNN can't be loaded: {error}", "oneDNN")
    built, spoken = _version(handlers.jaxcnn_onednn_ffi_version), _ffi_version()
    if built > spoken or built[0] != spoken[0]:  # XLA would not start with such a handler
        return Missing(f"the kernels were built for XLA's FFI {built}, and this jaxlib has {spoken}", "jaxlib")
    absent = [name for name in (*TARGETS, AMD, ISA, KEPT) if not hasattr(handlers, name)]
    if absent:
        return Missing(f"the oneDNN kernels were built from another jaxcnn, without {absent[0]}", "handlers")
    for target in TARGETS:
        jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(handlers[target]), platform="cpu")
    return Library(handlers, path)


def _version(function: Any) -> tuple[int, int]:
    return divmod(int(function()), 1000)


def _ffi_version() -> tuple[int, int]:
    """The version of XLA's FFI in this jaxlib, as its headers tell."""
    header = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text()
    major, minor = (int(n) for n in re.findall(r"#define XLA_FFI_API_M(?:AJOR|INOR) (\d+)", header))
    return major, minor


def _load(handlers: str) -> tuple[str, ctypes.CDLL]:
    errors = []
    for path in [*_installed(), "libdnnl.so.3"]:
        try:
            ctypes.CDLL(path)  # the handlers then find it by its name
            return path, ctypes.CDLL(handlers)
        except OSError as error:
            errors.append(str(error))
    raise OSError("; ".join(errors))


def _installed() -> Sequence[str]:
    """The path of the library that pip installed."""
    try:
        files = metadata.files(RUNTIME) or []
    except metadata.PackageNotFoundError:
        return []
    return [str(Path(str(file.locate())).resolve()) for file in files if file.name == "libdnnl.so.3"]
