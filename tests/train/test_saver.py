"""Checkpoints are written while training goes on: what was to be saved, in an order that leaves something whole."""

import subprocess
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.train import checkpoint
from jaxcnn.train.saver import Place, Saver
from tests.train.test_checkpoint import leaves, save, train_state


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_the_state_of_then_though_it_is_donated_to_the_next_step(tmp_path):
    """Writing 4 MB only begins after the call: where they are overwritten then, all of them come back changed."""
    step = jax.jit(lambda x: -x, donate_argnums=0)
    x = jax.block_until_ready(step(jax.random.normal(jax.random.key(0), (1 << 20,))))
    jax.block_until_ready(step(jnp.copy(x)))  # compiled
    then = np.array(x)
    with Saver() as saver:
        for i in range(3):
            saver.save([x], Place(tmp_path / str(i)))
            x = step(step(step(x)))
            jax.block_until_ready(x)
    for i in range(3):
        back = checkpoint.restore(tmp_path / str(i), [jax.ShapeDtypeStruct(x.shape, x.dtype)])[0]
        np.testing.assert_array_equal(back, (-1) ** i * then)


def test_save_returns_before_it_is_written_and_the_next_one_waits(tmp_path):
    save(tmp_path, train_state(value=0.1))
    go_on, there = threading.Event(), []

    def wait():
        go_on.wait()
        there.extend(checkpoint.complete(tmp_path))

    with Saver() as saver:
        saver.save(train_state(value=0.2), Place(tmp_path), before=wait)
        earlier = checkpoint.restore(tmp_path, train_state())  # whole, as long as the new one is not
        assert earlier.params["head"]["kernel"][0, 0] == jnp.float32(0.1)
        threading.Timer(0.1, go_on.set).start()
        saver.save(train_state(value=0.3), Place(tmp_path, keep=3))
        assert there == [tmp_path / "0"] and "1" in names(tmp_path)
        saver.wait()
        assert names(tmp_path) == ["1", "2"]
        saver.wait()  # for nothing


@pytest.mark.parametrize("when", ["at the next save", "by a wait", "at the end"])
def test_a_write_that_fails_is_told_later_and_the_one_before_it_stays(tmp_path, when):
    save(tmp_path, train_state())

    def fail():
        raise OSError("no room")

    with pytest.raises(OSError, match=r"^no room$"), Saver() as saver:
        saver.save(train_state(value=0.2), Place(tmp_path), before=fail)
        if when == "at the next save":
            saver.save(train_state(value=0.3), Place(tmp_path))
        if when == "by a wait":
            saver.wait()
    assert names(tmp_path) == ["0"]
    assert leaves(checkpoint.restore(tmp_path, train_state())) == leaves(train_state())


def test_another_error_is_not_hidden_by_that_of_the_write(tmp_path):
    def fail():
        raise OSError("no room")

    with (
        pytest.warns(UserWarning, match="no room"),
        pytest.raises(FloatingPointError),
        Saver() as saver,
    ):
        saver.save(train_state(), Place(tmp_path), before=fail)
        raise FloatingPointError


def test_an_exception_waits_for_the_write(tmp_path):
    with pytest.raises(KeyboardInterrupt), Saver() as saver:
        saver.save(train_state(), Place(tmp_path))
        raise KeyboardInterrupt
    assert names(tmp_path) == ["0"] and checkpoint.check(tmp_path) == {}


def test_two_places_hold_the_same_and_the_first_has_it_first(tmp_path, monkeypatch):
    best, last = Place(tmp_path / "best", 1, {"score": 0.5}), Place(tmp_path / "last", 2)
    for folder in (best.folder, last.folder, last.folder):
        save(folder, train_state(value=0.1), keep=2)
    (last.folder / "2.new").mkdir()  # what a killed process leaves
    (best.folder / "1.new.orbax-checkpoint-tmp").mkdir()
    order, seal = [], checkpoint.seal

    def seal_and_note(path, remarks):
        order.append((path.parent.name, names(best.folder), names(last.folder)))
        seal(path, remarks)

    monkeypatch.setattr(checkpoint, "seal", seal_and_note)
    with Saver() as saver:
        saver.save(train_state(value=0.2), best, last)
    assert order == [("best", ["0", "1.new"], ["0", "1", "2.new"]), ("last", ["1"], ["0", "1", "2.new"])]
    assert (names(best.folder), names(last.folder)) == (["1"], ["1", "2"])
    for place in (best, last):
        assert checkpoint.check(place.folder) == place.remarks
        assert leaves(checkpoint.restore(place.folder, train_state())) == leaves(train_state(value=0.2))


def test_an_array_comes_to_lie_where_it_is_wanted(tmp_path):
    """In a process of its own, which has two devices."""
    program = (
        "import pathlib, sys, jax, jax.numpy as jnp, numpy as np\n"
        "jax.config.update('jax_num_cpu_devices', 2)\n"
        "from jax.sharding import NamedSharding, PartitionSpec as P\n"
        "from jaxcnn.train import checkpoint\n"
        "from jaxcnn.train.saver import Place, Saver\n"
        "mesh = jax.make_mesh((2,), ('data',))\n"
        "cut, whole = NamedSharding(mesh, P('data')), NamedSharding(mesh, P())\n"
        "x, y, key = jnp.arange(8.0), jnp.arange(3), jax.random.key(1)\n"
        "tree = [jax.device_put(x, cut), jax.device_put(y, whole), jax.device_put(key, whole), x]\n"
        "with Saver() as saver:\n"
        "    saver.save(tree, Place(pathlib.Path(sys.argv[1])))\n"
        "other = jax.sharding.SingleDeviceSharding(jax.devices()[1])\n"
        "for places in ([cut, whole, whole, other], [other, cut.update(spec=P()), whole, cut], [None] * 4):\n"
        "    wanted = [jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=s) for a, s in zip(tree, places)]\n"
        "    back = checkpoint.restore(pathlib.Path(sys.argv[1]), wanted)\n"
        "    for a, b, s in zip(tree, back, places):\n"
        "        where = {jax.devices()[0]} if s is None else s.device_set\n"
        "        assert (b.sharding == s or s is None) and b.devices() == where, (b.sharding, s)\n"
        "        assert jax.random.key_data(b).tolist() == jax.random.key_data(a).tolist() if b.shape == () else "
        "(np.asarray(b) == np.asarray(a)).all()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
