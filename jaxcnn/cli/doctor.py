"""`jaxcnn doctor`: what this machine computes with, what is missing, and the command that adds it."""

import json
import platform
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcnn.cli import huge_pages, platforms

if TYPE_CHECKING:
    from jaxcnn.kernels.library import Missing


@dataclass(frozen=True)
class DoctorOptions:
    """Say what this machine computes with, and what is missing for more speed.
    $ jaxcnn doctor
    """


def run(options: DoctorOptions) -> int:
    """Print what there is, a line each; returns 0, or 1 where JAX has no device, or oneDNN's kernels are wrong."""
    import jax

    _line("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    _line("jax", f"{jax.__version__}, jaxlib {metadata.version('jaxlib')}")
    if refused := platforms.refused():
        _line("devices", f"none; {refused[0]}")
        _line("to compute", refused[1])
        _memory()
        _compiled()
        return 1
    counted: dict[str, int] = {}
    for device in jax.devices():
        counted[device.device_kind] = counted.get(device.device_kind, 0) + 1
    _line("devices", ", ".join(f"{count} × {kind}" for kind, count in counted.items()))
    _gpu()
    _memory()
    _compiled()
    return _kernels()


def _gpu() -> None:
    """What is another than on a CPU; or that there is a GPU which JAX does not see."""
    import jax

    if jax.default_backend() == "gpu":
        told = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
        _line("float32", f"is multiplied as {told}, as you say" if told else "is multiplied in TensorFloat-32: 11 bits")
        if not told:
            _line("for all", "export JAX_DEFAULT_MATMUL_PRECISION=float32")
    elif shutil.which("nvidia-smi"):
        _line("GPU", "an NVIDIA driver is here, but JAX does not compute with it")
        _line("to use it", f'{_pip()} "jax[cuda13]=={jax.__version__}", or jax[cuda12] with an older driver')


def _memory() -> None:
    """Whether large arrays get huge pages: otherwise a training step spends a good part of its time getting small ones.

    The command asks for them itself, a program in Python gets them where its environment asks.
    """
    given = huge_pages.given()
    if given == "always":
        _line("memory", "large arrays are on huge pages, which Linux gives to every program")
    elif given == "asked" and huge_pages.by_itself:
        _line("memory", "large arrays are on huge pages, which this command asks for")
        _line("to stop it", f"export {huge_pages.OFF}")
        _line("in Python", f"export {huge_pages.ON} gives them to programs that import jaxcnn")
    elif given == "asked":
        _line("memory", "large arrays are on huge pages, as GLIBC_TUNABLES says")
    elif given == "small":
        _line("memory", "large arrays are on small pages; a step on the CPU would be faster with huge ones")
        _line("to set it", f"export {huge_pages.ON}")


def _compiled() -> None:
    """Where programs are kept, and how not to."""
    from jaxcnn.cli.amounts import memory
    from jaxcnn.cli.compiled import config, folder

    if not config().jax_enable_compilation_cache:
        _line("compiled", "programs are compiled anew each time, as JAX_ENABLE_COMPILATION_CACHE says")
    elif where := config().jax_compilation_cache_dir:
        files = [file.stat().st_size for file in Path(where).glob("*-cache")]
        _line("compiled", f"{len(files)} programs, {memory(sum(files))}, are kept in {where}")
        _line(
            "to stop it", "export JAX_ENABLE_COMPILATION_CACHE=0, or JAX_COMPILATION_CACHE_DIR=PATH for another place"
        )
    else:
        _line("compiled", f"programs are compiled anew each time: {folder()} can't be written")


def _kernels() -> int:
    from jaxcnn.kernels import library, table

    found = library.find()
    if isinstance(found, library.Library):
        if not _has_cpu():
            _line("kernels", f"oneDNN {found.version} on the CPU, which JAX_PLATFORMS leaves out; XLA elsewhere")
            return 0
        error = _error()
        verdict = "a convolution agrees with XLA's" if error < 1e-5 else f"WRONG: a convolution is off by {error:.1e}"
        _line("kernels", f"oneDNN {found.version} on the CPU, XLA elsewhere; {verdict}")
        _line("oneDNN", found.path)
        _line("fastest", f"by {table.table().source}; `jaxcnn tune` measures it on this machine")
        return 0 if error < 1e-5 else 1
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        _line("kernels", "XLA; those of oneDNN are for Linux on x86-64")
        return 0
    _line("kernels", "XLA; convolutions on a CPU would be faster with oneDNN")
    _line("missing", found.reason)
    _line("to add it", _remedy(found))
    return 0


def _has_cpu() -> bool:
    import jax

    try:
        return bool(jax.devices("cpu"))
    except RuntimeError:
        return False


def _error() -> float:
    """How far a small convolution by oneDNN is from XLA's, against its largest entry."""
    import jax
    import jax.numpy as jnp

    from jaxcnn import kernels

    x, kernel = (jax.random.normal(jax.random.key(0), shape) for shape in [(2, 8, 8, 16), (3, 3, 16, 16)])
    results = []
    for kind in ("onednn", "xla"):
        with kernels.use(kind), jax.default_device(jax.devices("cpu")[0]):
            y = kernels.fprop(x, kernel, stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)
            results.append(jax.device_get(y))
    return float(jnp.abs(results[0] - results[1]).max() / jnp.abs(results[1]).max())


def _pip() -> str:
    return f"{shlex.quote(sys.executable)} -m pip install"


def _remedy(missing: "Missing") -> str:
    pip = _pip()
    again = f"{pip} --force-reinstall --no-deps"
    if missing.part == "oneDNN":
        return "sudo apt-get install libgomp1" if "libgomp" in missing.reason else f"{pip} onednn-cpu-gomp"
    if missing.part == "jaxlib":  # build with this jaxlib's headers
        return f"{pip} setuptools onednn-devel-cpu-gomp && {again} --no-build-isolation {_source()}"
    compiler = any(map(shutil.which, ("c++", "g++")))
    return f"{again} {_source()}" if compiler else f"sudo apt-get install g++ && {again} {_source()}"


def _source() -> str:
    """What to tell pip to install jaxcnn from, the way it was installed."""
    folder = Path(__file__).parents[2]
    try:
        record = json.loads(metadata.distribution("jaxcnn").read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:  # run from a source tree
        record = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    if record.get("dir_info", {}).get("editable"):
        return f"-e {shlex.quote(str(folder))}"
    return shlex.quote(record.get("url", "jaxcnn"))


def _line(what: str, text: str) -> None:
    print(f"{what:<10} {text}")
