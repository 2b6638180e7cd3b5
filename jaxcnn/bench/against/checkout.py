"""The other revision: in a git worktree of its own for as long as it is needed, with handlers of its own."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jaxcnn

KERNELS = Path("jaxcnn/kernels")


def here() -> Path:
    """The checkout that the running jaxcnn lies in.

    Raises ValueError where it lies in none, or git is not there.
    """
    folder = Path(jaxcnn.__file__).resolve().parents[1]
    told = f"--against needs a git checkout of jaxcnn, and this one is imported from {folder}"
    if shutil.which("git") is None:
        raise ValueError("--against needs git, which is not on the PATH; install it.")
    try:  # tracked there: an environment may lie in another project's checkout
        _git(folder, "ls-files", "--error-unmatch", "jaxcnn/__init__.py")
    except ValueError as error:
        raise ValueError(f"{told} ({error}). Run it in a clone, after pip install -e . there.") from None
    return folder


def commit(root: Path, revision: str) -> str:
    """The hash of what `revision` names, such as main, HEAD~3, or a tag. Raises ValueError for what names nothing."""
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except ValueError:
        raise ValueError(
            f"--against is {revision!r}, which is no commit of {root}; expected what git takes for one, such as main, "
            "HEAD~1 or origin/main."
        ) from None


def standing(root: Path) -> str:
    """What the working tree is: its commit, and whether it is changed."""
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return _git(root, "rev-parse", "--short", "HEAD") + (", changed" if changed else "")


@contextmanager
def checked_out(root: Path, commit: str) -> Iterator[Path]:
    """A folder with this commit's files; it, and what git knows of it, is gone afterwards, however that comes."""
    folder = Path(tempfile.mkdtemp(prefix="jaxcnn-against-"))
    tree = folder / "tree"
    try:
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        yield tree
    finally:  # in a session of its own, so that a second Ctrl-C does not end it
        for words in (["worktree", "remove", "--force", str(tree)], ["worktree", "prune"]):
            subprocess.run(["git", "-C", root, *words], capture_output=True, start_new_session=True)
            shutil.rmtree(folder, ignore_errors=True)


def build(tree: Path, root: Path) -> None:
    """Give the tree its handlers: the root's own where both have the same sources, else built, where that is possible.

    Which ones it has then is told by its process.
    """
    sources = {Path("setup.py"), *(file.relative_to(at) for at in (tree, root) for file in _sources(at))}
    built = _handlers(root)
    if built and all(_content(tree / source) == _content(root / source) for source in sources):
        for file in built:
            shutil.copy2(file, tree / KERNELS)
        return
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=tree, capture_output=True)


def stale(root: Path) -> bool:
    """Whether the working tree's handlers are older than their sources."""
    built, sources = ([file.stat().st_mtime for file in of(root)] for of in (_handlers, _sources))
    return bool(built) and max(sources, default=0.0) > min(built)


def _handlers(root: Path) -> list[Path]:
    return list((root / KERNELS).glob("_onednn.*"))


def _sources(root: Path) -> list[Path]:
    return [file for kind in ("*.cc", "*.h") for file in (root / KERNELS).glob(kind)]


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _git(root: Path, *words: str) -> str:
    """What git says. Raises ValueError with its last line where it fails."""
    done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"git {words[0]} failed"]
        raise ValueError(lines[-1])
    return done.stdout.strip()
