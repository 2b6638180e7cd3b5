"""`jaxcnn tune`: the table is measured, written where it is found, and followed."""

import jax
import numpy as np
import pytest

from jaxcnn.bench import tune
from jaxcnn.kernels import library, table
from jaxcnn.kernels.xla import Options

pytestmark = pytest.mark.skipif(isinstance(library.find(), library.Missing), reason="no oneDNN here")


@pytest.fixture
def two(monkeypatch, tmp_path):
    """Two small problems, and a cache of the test's own."""
    same = Options((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    made = [(1, (3, 3, channels, 16), same, (8, 8), channels) for channels in (3, 16)]
    monkeypatch.setattr(tune, "problems", lambda: made)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path))
    return table.user_file()


def test_it_is_written_where_it_is_found(two, jaxcnn, monkeypatch):
    code, out, err = jaxcnn("tune")
    assert code == 0 and err == ""
    said = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert said["measured"].startswith("6 convolutions in ")
    assert said["table"] == str(two)
    assert sum(int(word) for word in said["fastest"].replace(",", "").split() if word.isdecimal()) == 6
    monkeypatch.delenv(table.VARIABLE)
    table.table.cache_clear()
    try:
        rows = table.table().rows
        assert table.table().source == str(two)
    finally:
        table.table.cache_clear()
    assert [(row.shape.map, row.shape.inputs) for row in rows] == [
        (name, channels) for channels in (3, 16) for name in ("fprop", "dgrad", "wgrad")
    ]
    for row in rows:
        assert {"xla", "onednn"} <= set(row.rates)
        assert ("winograd" in row.rates) == (row.shape.inputs == 16)


def test_what_is_timed_is_the_convolution(monkeypatch):
    """By every kernel: of x the first number becomes y's, and the rest stays."""
    monkeypatch.setattr(tune.Task, "times", 1)
    x, kernel, y = (8, 14, 14, 16), (3, 3, 16, 16), (8, 14, 14, 16)
    options, rng = Options((1, 1), ((1, 1), (1, 1)), (1, 1), 1), np.random.default_rng(0)
    tasks = {
        tune.Task("fprop", options, x, kernel): lambda x, kernel: np.vdot(x[0, :3, :3], kernel[..., 0]),
        tune.Task("dgrad", options, y, kernel, (x[1:3],)): lambda y, kernel: np.vdot(
            y[0, :3, :3], kernel[::-1, ::-1, 0]
        ),
        tune.Task("wgrad", options, x, y, (kernel[:2],)): lambda x, y: np.vdot(x[:, :14, :14, 0], y[..., 0]),
    }
    for task, first in tasks.items():
        a, b = (rng.standard_normal(shape, np.float32) for shape in (task.a, task.b))
        programs = task.programs()
        assert {"xla", "onednn", "direct", "winograd"} <= set(programs) == set(task.work())
        expected = first(np.pad(a, ((0, 0), (1, 1), (1, 1), (0, 0))), b)
        for by, program in programs.items():
            found = np.array(program(a, b))
            tolerance = 2e-2 if "bfloat16" in by else 1e-4
            np.testing.assert_allclose(found[0, 0, 0, 0], expected, tolerance, 10 * tolerance, err_msg=by)
            found[0, 0, 0, 0] = a[0, 0, 0, 0]
            np.testing.assert_array_equal(found, a, err_msg=by)


def test_to_a_file_of_ones_own(two, jaxcnn, tmp_path):
    code, *_ = jaxcnn("tune", "--out", str(tmp_path / "mine.json"))
    assert code == 0 and not two.exists()
    assert len(table.Table.from_json((tmp_path / "mine.json").read_text(), "").rows) == 6


def test_what_is_wrong_is_said_before_anything_is_measured(two, jaxcnn, monkeypatch, tmp_path):
    monkeypatch.setattr(tune, "measure", lambda done: pytest.fail("measured"))
    code, _, err = jaxcnn("tune", "--out", str(tmp_path / "none" / "mine.json"))
    assert code == 2 and "--out is" in err and "does not exist" in err
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    code, _, err = jaxcnn("tune")
    assert code == 2 and "JAX_PLATFORMS=cpu" in err
    monkeypatch.setattr(library, "find", lambda: library.Missing("no compiler", "handlers"))
    code, _, err = jaxcnn("tune")
    assert code == 2 and "there is nothing to choose from: no compiler" in err
