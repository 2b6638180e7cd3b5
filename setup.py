"""Builds the oneDNN kernels, where the headers and a C++ compiler are. Without them jaxcnn computes through XLA."""

import sys
from importlib import metadata, util
from pathlib import Path

from setuptools import Extension, setup


def folder_of(distribution: str, file: str) -> str | None:
    """Where pip put `file` of an installed distribution."""
    try:
        found = [f for f in metadata.files(distribution) or [] if f.name == file and "oneapi" not in f.parts]
    except metadata.PackageNotFoundError:
        return None
    return str(Path(str(found[0].locate())).resolve().parent) if found else None


def extensions() -> list[Extension]:
    headers, library = folder_of("onednn-devel-cpu-gomp", "dnnl.hpp"), folder_of("onednn-cpu-gomp", "libdnnl.so.3")
    jaxlib = util.find_spec("jaxlib")
    if not headers or not library or not jaxlib or not jaxlib.submodule_search_locations:
        print("jaxcnn: no oneDNN or jaxlib to build against; the package will compute through XLA.", file=sys.stderr)
        return []
    others = [headers, str(Path(jaxlib.submodule_search_locations[0]) / "include")]
    system = [word for folder in others for word in ("-isystem", folder)]  # whose warnings are not ours
    return [
        Extension(
            "jaxcnn.kernels._onednn",
            [f"jaxcnn/kernels/{name}.cc" for name in ("depthwise", "direct", "onednn", "pool", "sums", "winograd")],
            depends=[
                f"jaxcnn/kernels/{name}.h"
                for name in (
                    "depthwise_loops",
                    "direct_loops",
                    "each_cpu",
                    "onednn",
                    "pool_loops",
                    "threads",
                    "winograd_transforms",
                )
            ],
            library_dirs=[library],
            # -g0: without what is for debuggers it has a tenth of the size, and is built in two thirds of the time.
            extra_compile_args=["-std=c++17", "-O2", "-g0", "-fopenmp", "-fvisibility=hidden", *system],
            extra_link_args=["-fopenmp", "-l:libdnnl.so.3"],
            language="c++",
            optional=True,
        )
    ]


setup(ext_modules=extensions())
