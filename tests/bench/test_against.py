"""Two revisions in turn: the other one's checkout, the processes, what they are asked, and what the rounds say."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import jaxcnn
from jaxcnn.bench.against import checkout, compare
from jaxcnn.bench.against.compare import Change
from jaxcnn.bench.against.process import Failed, Process
from jaxcnn.bench.against.task import Task, tasks
from jaxcnn.bench.networks import problem
from jaxcnn.bench.ops import CASES
from jaxcnn.bench.plan import Plan

ROOT = Path(jaxcnn.__file__).parents[1]
RELU = Task("operation", "relu, 64×32×32×64", "float32")
GELU = Task("operation", "gelu, 64×32×32×64", "float32")


def git(folder, *words):
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    return subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A checkout of a small jaxcnn, as the running one."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    root = tmp_path / "clone"
    (root / "jaxcnn/kernels").mkdir(parents=True)
    for name in ("jaxcnn/__init__.py", "jaxcnn/kernels/onednn.cc", "setup.py"):
        (root / name).write_text("first = 1\n")
    git(tmp_path, "init", "--quiet", root)
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(jaxcnn, "__file__", str(root / "jaxcnn/__init__.py"))
    return root


def test_a_checkout_is_found_and_its_standing_told(repository):
    assert checkout.here() == repository
    head = checkout.commit(repository, "HEAD")
    assert len(head) == 40 and head.startswith(checkout.standing(repository))
    (repository / "setup.py").write_text("changed")
    assert checkout.standing(repository).endswith(", changed")


def test_what_is_no_checkout_and_no_revision_is_an_error(repository, tmp_path, monkeypatch):
    for name in ("no-such-branch", "--all", ""):
        with pytest.raises(ValueError, match=rf"--against is {name!r}, which is no commit of .*; expected"):
            checkout.commit(repository, name)
    inside = repository / "environment/lib/jaxcnn"  # in a checkout, but no part of it
    inside.mkdir(parents=True)
    for place in (inside, tmp_path / "elsewhere/jaxcnn"):
        monkeypatch.setattr(jaxcnn, "__file__", str(place / "__init__.py"))
        with pytest.raises(ValueError, match="--against needs a git checkout of jaxcnn, and this one is imported from"):
            checkout.here()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="--against needs git"):
        checkout.here()


@pytest.mark.parametrize("end", [None, RuntimeError("failed"), KeyboardInterrupt()])
def test_the_worktree_has_the_revisions_files_and_is_gone_afterwards(repository, end):
    first = checkout.commit(repository, "HEAD")
    (repository / "setup.py").write_text("second")
    try:
        with checkout.checked_out(repository, first) as tree:
            assert (tree / "setup.py").read_text() == "first = 1\n"
            assert str(tree) in git(repository, "worktree", "list")
            (tree / "built.so").touch()  # git would rather keep a worktree with new files
            if end is not None:
                raise end
    except (RuntimeError, KeyboardInterrupt) as error:
        assert error is end
    assert not tree.parent.exists()
    assert git(repository, "worktree", "list").count("\n") == 1
    assert (repository / "setup.py").read_text() == "second"


def test_handlers_of_the_same_sources_are_copied_and_others_built(repository):
    handlers = repository / "jaxcnn/kernels/_onednn.cpython-311.so"
    handlers.write_text("ours")
    assert not checkout.stale(repository)
    head = checkout.commit(repository, "HEAD")
    with checkout.checked_out(repository, head) as tree:
        checkout.build(tree, repository)
        assert (tree / "jaxcnn/kernels/_onednn.cpython-311.so").read_text() == "ours"
    (repository / "setup.py").write_text("open('jaxcnn/kernels/_onednn.cpython-311.so', 'w').write('built')\n")
    git(repository, "commit", "--quiet", "--all", "--message", "another way to build")
    with checkout.checked_out(repository, checkout.commit(repository, "HEAD")) as tree:
        (repository / "jaxcnn/kernels/onednn.cc").write_text("changed")
        checkout.build(tree, repository)
        assert (tree / "jaxcnn/kernels/_onednn.cpython-311.so").read_text() == "built"
    assert checkout.stale(repository), "their sources have changed since"


def test_a_plans_tasks_are_those_of_its_contests():
    plan = Plan(cases=CASES[:1], training=[problem("lenet5", batch_size=3)], inference=[problem("resnet20")], peers=())
    found = tasks(plan)
    assert [task.title for task in found] == [f"{c.section}: {c.task}" for c in plan.contests()]
    assert {task.entrant.by for task in found} == {"jaxcnn"}


def test_two_trees_are_timed_by_the_same_code_and_another_result_gets_no_time(tmp_path, monkeypatch):
    """The other tree has no handlers, another bench, and another relu."""
    shutil.copytree(ROOT / "jaxcnn", tmp_path / "jaxcnn", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (tmp_path / "jaxcnn/bench/plan.py").write_text("raise ImportError('the measuring is not of this tree')")
    relu = tmp_path / "jaxcnn/ops/activation/relu.py"
    text = relu.read_text()
    assert "return jnp.where(x <= 0, 0, x)" in text
    relu.write_text(text.replace("return jnp.where(x <= 0, 0, x)", "return jnp.where(x <= 0, 0, 1.5 * x)"))
    monkeypatch.setattr(compare, "ROUNDS", 1)
    told, ticks = [], []
    found = compare.compare((tmp_path, ROOT), [RELU, GELU], 3, told.extend, lambda *tick: ticks.append(tick))
    assert told[0].startswith("XLA's own kernels: the oneDNN kernels were not built")
    other, same = found
    assert other.refused.startswith("not the same results: off by 3.3e-01, more than 1e-03")
    assert not other.old
    assert not same.refused and same.difference < 1e-6
    assert [[len(samples) for samples in side] for side in (same.old, same.new)] == [[3], [3]]
    assert 0 < same.ratio < np.inf
    assert ticks == [("operation: relu, 64×32×32×64", 0.0), ("operation: gelu, 64×32×32×64", 0.5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("raise ImportError('no module of that name')", "ImportError: no module of that name"),
        ("import os; os.write(2, b'some words\\nlast words\\n'); os._exit(7)", "its process ended with 7: last words"),
    ],
)
def test_a_revision_that_does_not_start_says_why(tmp_path, content, message):
    (tmp_path / "jaxcnn").mkdir()
    (tmp_path / "jaxcnn/__init__.py").write_text(content)
    with pytest.raises(Failed, match=message), Process(tmp_path, tmp_path) as process:
        process.greeted()


def change(old, new):
    return Change(RELU, RELU.title, [[s] * 3 for s in old], [[s] * 3 for s in new])


@pytest.mark.parametrize(
    ("old", "new", "ratio", "standing"),
    [
        ([10, 10, 10], [5, 5, 5], 2.0, "faster"),
        ([5, 5, 5], [10, 10, 10], 0.5, "slower"),
        ([10.2, 10.2, 10.2], [10, 10, 10], 1.02, "within the noise"),
        ([10.4, 10.5, 10.6], [10, 10, 10], 1.05, "faster"),
        ([12, 11, 10.5], [10, 10, 10], 1.1, "within the noise"),  # the rounds are 13 % apart
    ],
)
def test_a_change_is_told_from_what_rounds_differ_by(old, new, ratio, standing):
    made = change(old, new)
    assert made.ratio == pytest.approx(ratio)
    assert made.standing == standing
    assert made.to_json()["standing"] == standing


def test_a_revision_that_fails_at_a_task_is_named():
    class Gone:
        def ask(self, **question):
            raise Failed("ValueError: no such network")

    made = Change(RELU, RELU.title)
    compare._round(made, [Gone(), Gone()], 3, Path("."))
    assert made.refused == "the other revision fails: ValueError: no such network"
    assert "ratio" not in made.to_json()
