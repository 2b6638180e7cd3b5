"""The process of one revision, asked and answered through pipes."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jaxcnn.bench.against import worker


class Failed(ValueError):
    """What a revision's process could not do, in a line."""


class Process:
    """jaxcnn as it is in the folder `tree`; programs that were compiled before are in the folder `compiled`.

    It hears no Ctrl-C of the terminal: whoever uses it does, and ends it, and so does the end of its input.
    """

    def __init__(self, tree: Path, compiled: Path) -> None:
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 -- closed with the process
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")])),
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_ENABLE_COMPILATION_CACHE": "true",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # a GPU's memory is for both
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(worker.__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self._tree = tree

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def greeted(self) -> str:
        """Wait until it is there, and return which kernels it has.

        Raises Failed where it can't be imported or measured, or is not the jaxcnn of this folder.
        """
        said = self._heard()
        if said["jaxcnn"] != str(self._tree.resolve()):
            raise Failed(f"Python imports the jaxcnn in {said['jaxcnn']} instead")
        return str(said["kernels"])

    def ask(self, **question: Any) -> dict[str, Any]:
        """Its answer. Raises Failed with its error."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is gone, and its last words are read below
            print(json.dumps(question), file=self._process.stdin, flush=True)
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            last = [line for line in self._errors.read().splitlines() if line.strip()][-1:] or ["it said nothing"]
            raise Failed(f"its process ended with {self._process.wait()}: {last[0].strip()}")
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise Failed(said["error"])
        return said
