"""Checkpoints come back bit for bit, survive a killed write, and refuse another network."""

import asyncio
import re
import shutil
import subprocess
import sys
import time
from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn.train import checkpoint
from jaxcnn.train.saver import Place, Saver
from jaxcnn.train.state import Metrics, TrainState


def train_state(features=3, value=0.1):
    params = {"head": {"kernel": jnp.full((2, features), value), "bias": jnp.zeros(features)}}
    opt_state = optax.adamw(0.1).init(params)
    return TrainState(params, {"bn": {"mean": jnp.ones(2)}}, opt_state, jnp.int32(7), jax.random.key(3))


def leaves(tree):
    """Every array's bytes; a random key's are those of its data."""
    is_key = lambda x: jnp.issubdtype(x.dtype, jax.dtypes.prng_key)  # noqa: E731
    return [np.asarray(jax.random.key_data(x) if is_key(x) else x).tobytes() for x in jax.tree.leaves(tree)]


def save(folder, tree, keep=1, **remarks):
    """Write it, and wait until it is written."""
    with Saver() as saver:
        saver.save(tree, Place(folder, keep, remarks))


def test_round_trip(tmp_path):
    saved = {"train": train_state(), "metrics": Metrics.zero()}
    assert not checkpoint.exists(tmp_path / "last")
    save(tmp_path / "last", saved)
    assert checkpoint.exists(tmp_path / "last")
    back = checkpoint.restore(tmp_path / "last", jax.eval_shape(lambda: saved))
    assert jax.tree.structure(back) == jax.tree.structure(saved)
    assert leaves(back) == leaves(saved)


def test_a_field_that_an_earlier_version_lacked_is_empty(tmp_path):
    now = train_state()
    before = {field.name: getattr(now, field.name) for field in fields(now) if field.name not in ("average", "scale")}
    save(tmp_path / "last", before)
    back = checkpoint.restore(tmp_path / "last", jax.eval_shape(lambda: now))
    assert jax.tree.structure(back) == jax.tree.structure(now) and leaves(back) == leaves(now)


@pytest.mark.parametrize("manifest", [True, False])
def test_an_array_that_an_earlier_version_lacked_is_0_if_it_is_said_to_be_new(tmp_path, manifest):
    now = {"train": train_state(), "metrics": Metrics(*map(jnp.float32, (1, 2, 3, 0, 5)))}
    before = {**now, "metrics": {k: v for k, v in now["metrics"]._asdict().items() if k != "gradient"}}
    save(tmp_path / "last", before)
    if not manifest:
        next((tmp_path / "last").glob("*/manifest.txt")).unlink()
    back = checkpoint.restore(tmp_path / "last", now, added=["metrics/gradient"])
    assert leaves(back) == leaves({**now, "metrics": now["metrics"]._replace(gradient=jnp.float32(0))})
    with pytest.raises(ValueError, match=r"its metrics/gradient has shape none \(absent\), expected \(\)"):
        checkpoint.restore(tmp_path / "last", now)
    save(tmp_path / "last", now)
    assert leaves(checkpoint.restore(tmp_path / "last", now, added=["metrics/gradient"])) == leaves(now)


def test_saving_replaces_and_leaves_one(tmp_path):
    for value in (0.1, 0.2, 0.3):
        save(tmp_path, train_state(value=value))
    assert checkpoint.restore(tmp_path, train_state()).params["head"]["kernel"][0, 0] == jnp.float32(0.3)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_write_keeps_the_previous_one_and_the_next_write_tidies_up(tmp_path):
    save(tmp_path, train_state())
    with pytest.raises(OSError, match="object"):
        save(tmp_path, {"not an array": object()})
    (tmp_path / "9.orbax-checkpoint-tmp-1").mkdir()  # what a killed write leaves
    assert leaves(checkpoint.restore(tmp_path, train_state())) == leaves(train_state())
    save(tmp_path, train_state())
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_write_is_over_when_it_has_failed_and_the_next_is_not_blamed_for_it(tmp_path, monkeypatch):
    """However slowly the file system makes a folder."""
    from orbax.checkpoint._src.path import async_path

    at_once = async_path.mkdir

    async def slow(*args, **kwargs):
        await at_once(*args, **kwargs)
        await asyncio.sleep(0.3)

    monkeypatch.setattr(async_path, "mkdir", slow)
    with Saver() as saver:
        for _ in range(2):
            with pytest.raises(OSError, match="object"):
                saver.save({"not an array": object()}, Place(tmp_path))
        saver.save(train_state(), Place(tmp_path))
    assert leaves(checkpoint.restore(tmp_path, train_state())) == leaves(train_state())
    assert [child.name for child in tmp_path.iterdir()] == ["0"]


def test_ten_is_newer_than_nine(tmp_path):
    """A process that is killed before it has tidied up leaves both."""
    folder = tmp_path / "last"
    save(folder, train_state(value=0.1))
    (folder / "0").rename(folder / "9")
    shutil.copytree(folder / "9", tmp_path / "9")
    save(folder, train_state(value=0.2))
    (tmp_path / "9").rename(folder / "9")
    assert {child.name for child in folder.iterdir()} == {"9", "10"}
    assert checkpoint.restore(folder, train_state()).params["head"]["kernel"][0, 0] == jnp.float32(0.2)


def test_a_killed_process_leaves_a_whole_checkpoint(tmp_path):
    program = (
        "import sys, pathlib, jax.numpy as jnp; from jaxcnn.train.saver import Place, Saver\n"
        "with Saver() as saver:\n"
        "    for i in range(10**6):\n"
        "        saver.save([jnp.full((300, 300), i), jnp.full(5, i)], Place(pathlib.Path(sys.argv[1])))\n"
        "        print(i - 1, flush=True)\n"  # the one before it is written
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    done = next(int(line) for line in process.stdout if int(line) == 5)
    process.kill()
    process.communicate()
    like = [jnp.zeros((300, 300), jnp.int32), jnp.zeros(5, jnp.int32)]
    values = np.unique(np.concatenate([np.ravel(leaf) for leaf in checkpoint.restore(tmp_path, like)]))
    assert len(values) == 1 and values[0] >= done


def test_refuses_another_network(tmp_path):
    save(tmp_path, train_state(features=3))
    message = r"of another network or optimizer: its params/head/bias has shape \(3,\), expected \(4,\)"
    with pytest.raises(ValueError, match=message):
        checkpoint.restore(tmp_path, train_state(features=4))
    with pytest.raises(ValueError, match="another network or optimizer"):
        checkpoint.restore(tmp_path, {"params": {}})


def test_says_that_there_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
        checkpoint.restore(tmp_path / "best", train_state())


def damages(folder):
    """(file, what happens to it) for each file of the checkpoint in `folder`, in several ways."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        yield file, file.unlink
        yield file, lambda file=file: (file.unlink(), file.mkdir())
        if content:
            yield file, lambda file=file, content=content: file.write_bytes(content[: len(content) // 2])
            yield file, lambda file=file: file.write_bytes(b"")
        for at in {0, len(content) // 2, len(content) - 1} if content else ():
            flipped = content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :]
            yield file, lambda file=file, flipped=flipped: file.write_bytes(flipped)


def test_any_damage_is_found_and_the_file_named(tmp_path):
    good = tmp_path / "good"
    save(good, train_state(), score=0.5)
    number = sum(1 for _ in damages(good))
    assert number > 60
    for i in range(number):
        folder = shutil.copytree(good, tmp_path / str(i))
        file, harm = list(damages(folder))[i]
        harm()
        if file.name == "manifest.txt" and not file.exists():  # as one of an earlier version has none
            assert leaves(checkpoint.restore(folder, train_state())) == leaves(train_state())
            continue
        with pytest.raises(checkpoint.Damaged, match=re.escape(f"the checkpoint file {file} is damaged: ")) as caught:
            checkpoint.restore(folder, train_state())
        assert "\n" not in str(caught.value)
    assert checkpoint.check(good) == {"score": 0.5}


def test_damage_that_no_manifest_tells_is_the_checkpoints_too(tmp_path, capfd):
    """Of some files without a word of Orbax's or asyncio's; of others it changes nothing."""
    good, state = tmp_path / "good", train_state()
    save(good, state)
    next(good.glob("*/manifest.txt")).unlink()
    needed = ("_METADATA", "manifest.ocdbt", "d")
    found = set()
    for i in range(sum(1 for _ in damages(good))):
        folder = shutil.copytree(good, tmp_path / str(i))
        file, harm = list(damages(folder))[i]
        part, size = file.relative_to(folder / "0").parts[0], file.stat().st_size
        harm()
        try:
            assert leaves(checkpoint.restore(folder, state)) == leaves(state)
        except checkpoint.Damaged as damage:
            assert str(damage).startswith("the checkpoint ") and "\n" not in str(damage)
            assert part not in needed or file.name in str(damage)
            found.add(part)
        else:  # _METADATA has every name twice, and only one of them is read
            assert part not in needed or (part == "_METADATA" and file.stat().st_size == size)
    assert found >= set(needed)
    time.sleep(0.5)  # what would be written late
    assert capfd.readouterr().err == ""
    shutil.rmtree(good / "0")
    (good / "0").write_text("no folder")
    with pytest.raises(checkpoint.Damaged, match=re.escape(f"{good / '0'} is damaged: it is not a folder")):
        checkpoint.restore(good, state)


def test_a_manifest_that_is_a_broken_link_is_damaged(tmp_path):
    for i, target in enumerate(("nowhere", "manifest.txt")):
        save(tmp_path / str(i), train_state())
        manifest = tmp_path / str(i) / "0/manifest.txt"
        manifest.unlink()
        manifest.symlink_to(target)
        with pytest.raises(checkpoint.Damaged, match=r"manifest\.txt is damaged: its SHA-256"):
            checkpoint.restore(tmp_path / str(i), train_state())


@pytest.mark.parametrize("kind", ["rbg", "unsafe_rbg", "threefry2x32"])
def test_a_random_key_comes_back_as_it_was_saved(tmp_path, kind):
    """Whatever JAX_DEFAULT_PRNG_IMPL is by then: `like` has a key of the default's."""
    key = jax.random.key(3, impl=kind)
    save(tmp_path, [key, jnp.ones(2)])
    back, _ = checkpoint.restore(tmp_path, [jax.random.key(0), jnp.ones(2)])
    assert back.dtype == key.dtype and leaves([back]) == leaves([key])


# Of several writes one fails first; the others then find that nobody waits for them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_leaves_the_checkpoint_before_whole(tmp_path, capfd):
    resource = pytest.importorskip("resource")  # not on Windows
    state, limits = train_state(), resource.getrlimit(resource.RLIMIT_FSIZE)
    save(tmp_path / "last", state)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
        with pytest.raises(OSError, match=r"last/1 can't be written \(.*\); the one before it, .*/last/0, is whole\.$"):
            save(tmp_path / "last", state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoint.complete(tmp_path / "last") == [tmp_path / "last/0"]
    assert leaves(checkpoint.restore(tmp_path / "last", state)) == leaves(state)
    assert capfd.readouterr().err == ""
    save(tmp_path / "last", state)  # removes what the others still wrote
    assert [path.name for path in (tmp_path / "last").iterdir()] == ["1"]
