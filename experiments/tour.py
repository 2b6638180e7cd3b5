"""Runs tour.ipynb and keeps what its cells print and draw.

    python experiments/tour.py

Takes a minute on 2 CPU cores. The same notebook gives the same file: no times, no numbers of the machine.
"""

import os
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("tour.ipynb")


def executed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """The notebook, run from its first cell to its last by this very Python, in this folder.

    Raises: nbclient.exceptions.CellExecutionError where a cell does.
    """
    kernel = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))  # no other kernel's
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=300,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    usual = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "MPLBACKEND")}
    return client.execute(env=usual | {"JAX_PLATFORMS": "cpu"})


def text(cell: nbformat.NotebookNode) -> str:
    """What a cell has printed."""
    return "".join(output.text for output in cell.get("outputs", []) if output.output_type == "stream")


if __name__ == "__main__":
    made = executed(nbformat.read(NOTEBOOK, as_version=4), NOTEBOOK.parent)
    nbformat.write(made, NOTEBOOK)
    print(f"notebook {NOTEBOOK}")
