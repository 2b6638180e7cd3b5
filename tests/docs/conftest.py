"""The documentation, built once for all workers, as `make docs` builds it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder with the pages. The build must succeed without a warning."""
    for needed in ("sphinx", "furo", "myst_parser"):
        pytest.importorskip(needed, reason="needs jaxcnn[docs]")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with Lock(folder / "site.lock"):
        if not (folder / "site" / "objects.inv").exists():  # which is written last
            command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", folder / "site"]
            run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert run.returncode == 0, run.stderr
    return folder / "site"


class Lock:
    """One process at a time: the pages that a build makes stand in the repository."""

    def __init__(self, path):
        self.file = path.open("w")

    def __enter__(self):
        fcntl = pytest.importorskip("fcntl", reason="needs POSIX")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()
