"""94 % on CIFAR-10: the parts of the recipe, and a few steps of it on a few made-up images."""

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import cifar10_fast as experiment
from jaxcnn import data
from jaxcnn.data import Dataset

TINY = experiment.Config(
    widths=(24, 24, 24),
    batch_size=16,
    bias_rate=20.0,
    head_rate=50.0,
    epochs=5,
    phases=(experiment.Phase(0.6, side=24, fixed=()), experiment.Phase(1.0)),
)
DEEP = dataclasses.replace(TINY, deep=True, cutout=12, translate=4)
SHARED = Path(__file__).parents[3] / "shared" / "tfds"


def pictures(count, seed):
    """Ten classes of one colour each, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 10
    colours = np.random.default_rng(0).integers(0, 256, (10, 1, 1, 3))
    return np.clip(colours[labels] + rng.normal(0, 20, (count, 32, 32, 3)), 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def dataset():
    return Dataset("made up", *pictures(64, 1), *pictures(30, 2), tuple("abcdefghij"))


@pytest.fixture(scope="module")
def results(dataset):
    """The whole schedule, twice from one seed."""
    return [experiment.run(TINY, dataset, 0, None, "bfloat16") for _ in range(2)]


def test_it_learns_ten_colours(results):
    for result in results:
        assert len(result.losses) == 20
        assert np.mean(result.losses[-4:]) < 0.8 * result.losses[0]
        assert result.accuracy >= 0.5 and result.plain >= 0.5


def test_a_seed_gives_the_same_bits(results):
    jax.tree.map(np.testing.assert_array_equal, *(result.model for result in results))
    assert results[0].losses == results[1].losses


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(results, dataset, tmp_path):
    """Stopped within the third epoch of five: that is made again."""
    experiment.run(TINY, dataset, 0, 9, "bfloat16", tmp_path / "seed0")
    assert [path.name for path in (tmp_path / "seed0").iterdir()] == ["1"]
    whole = experiment.run(TINY, dataset, 0, None, "bfloat16", tmp_path / "seed0")
    jax.tree.map(np.testing.assert_array_equal, whole.model, results[0].model)
    assert whole.losses == results[0].losses
    assert whole.accuracy == results[0].accuracy


def test_what_is_fixed_stays_and_all_else_moves(results, dataset):
    normalise = experiment.Pixels(*data.statistics(dataset.train_images))
    net = experiment.network(TINY, "bfloat16")
    before, _ = experiment.initial(net, np.asarray(normalise(dataset.train_images)), 0)
    after, _ = results[0].model
    same = jax.tree_util.tree_map_with_path(
        lambda path, a, b: (jax.tree_util.keystr(path, simple=True, separator="/"), np.array_equal(a, b)), before, after
    )
    fixed = {name for name, kept in jax.tree.leaves(same, is_leaf=lambda leaf: isinstance(leaf, tuple)) if kept}
    norms = {f"block{i}/norm{j}/scale" for i in (1, 2, 3) for j in (1, 2)}
    assert fixed == {"whiten/kernel"} | norms


@pytest.mark.parametrize("fixed", [("whiten",), ("whiten", "block1")], ids=str)
def test_a_phase_leaves_the_layers_that_are_fixed_in_it(dataset, fixed):
    """All that is in them: neither momentum nor decay goes on."""

    def after(steps):
        phases = (experiment.Phase(0.5, side=24, fixed=()), experiment.Phase(1.0, side=24, fixed=fixed))
        config = dataclasses.replace(TINY, phases=phases, epochs=4 * TINY.batch_size / len(dataset.train_labels))
        return experiment.run(config, dataset, 0, steps, "float32").model[0]

    before, later = after(2), after(4)
    moved = {name for name, leaf in before.items() if not same(leaf, later[name])}
    assert moved == {"whiten", "block1", "block2", "block3", "head"} - set(fixed)


def same(a, b):
    return all(map(np.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))


def test_the_kernels_whiten_patches():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((20, 8, 8, 3)) @ rng.standard_normal((3, 3))
    images = images + 2 * np.roll(images, 1, axis=1)
    kernel = experiment.whitening(images, epsilon=1e-12)
    assert kernel.shape == (2, 2, 3, 24)
    np.testing.assert_array_equal(kernel[..., 12:], -kernel[..., :12])
    patches = np.lib.stride_tricks.sliding_window_view(images, (2, 2), axis=(1, 2))  # (n, h, w, c, 2, 2)
    white = np.einsum("nhwcij,ijco->nhwo", patches, kernel[..., :12]).reshape(-1, 12)
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(12), atol=1e-5)


@pytest.mark.parametrize(("cin", "features"), [(4, 7), (5, 5), (6, 3)])
def test_a_dirac_convolution_passes_channels_through(cin, features):
    x = jax.random.normal(jax.random.key(0), (2, 6, 6, cin))
    layer = experiment.DiracConv(features)
    params, _ = layer.init(jax.random.key(1), x)
    y, _ = layer.apply(params, {}, x)
    through = min(cin, features)
    np.testing.assert_array_equal(y[..., :through], x[..., :through])
    rest = np.asarray(params["kernel"])[..., through:]
    assert rest.size == 0 or 0.9 < np.abs(rest).max() * np.sqrt(9 * cin) <= 1


def test_windows_are_cut_where_the_corners_say():
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), dtype=np.uint8)
    chosen, corners = np.array([4, 0, 2]), np.array([[0, 4], [2, 2], [4, 1]])
    flipped = np.array([False, True, False])
    windows = experiment.cut(jnp.asarray(images), chosen, corners, flipped, 8)
    for window, index, (i, j), flip in zip(windows, chosen, corners, flipped, strict=True):
        expected = images[index, i : i + 8, j : j + 8]
        np.testing.assert_array_equal(window, expected[:, ::-1] if flip else expected)


PARAMS = {
    "whiten": {"kernel": (2, 2, 3, 24), "bias": (24,)},
    "block1": {"conv1": {"kernel": (3, 3, 24, 32)}, "norm1": {"scale": (32,), "bias": (32,)}},
    "head": {"kernel": (32, 10)},
}


def drawn(seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda s: rng.standard_normal(s).astype(np.float32), PARAMS, is_leaf=lambda s: type(s) is tuple)


def test_a_first_step_by_hand():
    """Nesterov's first step is (1 + momentum) rate (gradient + decay / rate · weight); Muon's is orthogonal."""
    params, gradients = drawn(0), drawn(1)
    transform = experiment.optimizer(experiment.Config(), 100)
    updates, _ = transform.update(gradients, transform.init(params), params)
    for (first, *rest), rate in (
        (("whiten", "bias"), 106),
        (("block1", "norm1", "bias"), 106),
        (("head", "kernel"), 1340),
    ):
        w, g, u = params[first], gradients[first], updates[first]
        for name in rest:
            w, g, u = w[name], g[name], u[name]
        np.testing.assert_allclose(u, -1.85 * (rate * g + 0.004 * w), rtol=1e-4, atol=1e-3)
    assert not np.any(updates["whiten"]["kernel"]) and not np.any(updates["block1"]["norm1"]["scale"])
    g, u = (tree["block1"]["conv1"]["kernel"].reshape(-1, 32) for tree in (gradients, updates))
    left, _, right = np.linalg.svd(g, full_matrices=False)
    between = left.T @ np.asarray(u) @ right.T / -0.24  # singular values, the gradient's vectors
    np.testing.assert_allclose(between, np.diag(np.diag(between)), atol=1e-4)
    assert 0.6 < between.diagonal().min() <= between.diagonal().max() < 1.3


def test_rates_fall_to_nothing_and_the_whitening_bias_rests_first():
    params, gradients = drawn(0), drawn(1)
    config = experiment.Config(phases=(experiment.Phase(0.25, fixed=()), experiment.Phase(1.0)), momentum=0)
    transform = experiment.optimizer(config, 8)
    state, sizes = transform.init(params), []
    for _ in range(9):
        updates, state = transform.update(gradients, state, params)
        sizes.append(jax.tree.map(lambda u: float(jnp.abs(u).max()), updates))
    kernels = [size["block1"]["conv1"]["kernel"] for size in sizes]
    np.testing.assert_allclose(np.array(kernels) / kernels[0], np.linspace(1, 0, 9), atol=1e-5)
    assert [size["whiten"]["bias"] > 0 for size in sizes] == [True] * 2 + [False] * 7
    assert sizes[7]["head"]["kernel"] > 0 == sizes[8]["head"]["kernel"]


def test_kernels_are_given_their_length():
    params = drawn(0)
    made = experiment.normalised(params)
    kernel = made["block1"]["conv1"].pop("kernel")
    before = params["block1"]["conv1"].pop("kernel")
    np.testing.assert_allclose(kernel, before * np.sqrt(32 / np.sum(before**2)), rtol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, made, params)


def test_six_views():
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)
    shares, seen = experiment.views(jnp.asarray(x))
    assert shares.sum() == 1 and len(seen) == 6
    up = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")[:, :8, :8]
    for view, expected in zip(seen, [x, x[:, :, ::-1], up, up[:, :, ::-1]], strict=False):
        np.testing.assert_array_equal(view, expected)
    np.testing.assert_array_equal(seen[4][:, :7, :7], x[:, 1:, 1:])
    np.testing.assert_array_equal(seen[4][:, :, ::-1], seen[5])


@pytest.mark.parametrize("share", [1, 0.25])
def test_six_views_are_weighed_where_one_leaves_doubts_and_padding_does_not_count(share, monkeypatch):
    """Of a network that looks at one pixel of the border, NumPy says what each view shows."""
    monkeypatch.setattr(experiment, "DOUBTFUL", share)
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3), dtype=np.uint8)
    x = images / 255.0
    # As it is, up and left, down and right; then each mirrored. Reflection brings in the second row and column.
    seen = [x[:, 0, 0], x[:, 0, 5], x[:, 1, 1], x[:, 1, 4], x[:, 1, 1], x[:, 1, 4]]
    by_one, by_six = seen[0].argmax(-1), np.tensordot([0.25, 0.25, *[0.125] * 4], seen, 1).argmax(-1)
    certainty = (np.exp(seen[0]) / np.exp(seen[0]).sum(-1, keepdims=True)).max(-1)
    doubtful = np.isin(np.arange(20), np.argsort(certainty)[: round(20 * share)])
    right = np.where(doubtful, by_six, by_one).astype(np.int32)
    dataset = Dataset("noise", images, right, images, right, ("red", "green", "blue"))
    normalise = experiment.Pixels(np.zeros(3, np.float32), np.ones(3, np.float32))
    plain, accuracy = experiment.evaluate(lambda x: x[:, 0, 0], dataset, normalise, 8)
    assert accuracy == 1
    assert plain == np.mean(by_one == right) < 1


def test_the_deeper_network_of_96_takes_a_step(dataset):
    result = experiment.run(DEEP, dataset, 0, 1, "float32")
    assert np.isfinite(result.losses[0])
    params, _ = result.model
    assert params["block2"]["rest"]["body"]["conv3"]["kernel"].shape == (3, 3, 24, 24)


def test_main_prints_every_seed_and_the_seeds_differ(dataset, monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setattr(data, "load", lambda name, data_dir: asked.append((name, data_dir)) or dataset)
    one = dataclasses.replace(TINY, phases=(experiment.Phase(1.0, side=16),))
    results = experiment.main(one, range(3, 5), 1, tmp_path, "float32")
    assert asked == [("cifar10", tmp_path)]
    lines = capsys.readouterr().out.splitlines()
    for seed, result in enumerate(results, 3):
        (line,) = (line for line in lines if line.startswith(f"seed {seed}: test accuracy {result.accuracy:.4f}"))
        assert f"by one view {result.plain:.4f}" in line
    assert lines[-1].startswith("2 seeds: ")
    assert results[0].losses != results[1].losses


@pytest.mark.skipif(not SHARED.is_dir(), reason="no prepared datasets at ../shared/tfds")
def test_the_real_images_are_whitened():
    import tensorflow_datasets as tfds

    source = tfds.data_source("cifar10", data_dir=SHARED, split="train")
    first = np.stack([source[i]["image"] for i in range(500)])  # to decode all takes long
    images = np.asarray(experiment.Pixels(*data.statistics(first))(first))
    patches = np.lib.stride_tricks.sliding_window_view(images, (2, 2), axis=(1, 2))
    white = np.einsum("nhwcij,ijco->nhwo", patches, experiment.whitening(images)[..., :12]).reshape(-1, 12)
    moments = white.T.astype(np.float64) @ white / len(white)
    np.testing.assert_allclose(moments, np.diag(np.diag(moments)), atol=1e-4)
    assert 0.5 < moments.diagonal().min() <= moments.diagonal().max() < 1  # ε holds the small ones back


def test_without_its_package_airbench94_is_left_out_with_a_word(dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "airbench", None)
    said = experiment.beside(dataset, 2)
    assert said.startswith("PyTorch's airbench94 was not run: import of airbench")
    assert said.endswith("To run it, pip install airbench torch torchvision.")


def test_airbench94_is_not_run_where_pytorch_finds_no_gpu(dataset, monkeypatch):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    monkeypatch.setitem(sys.modules, "airbench", SimpleNamespace())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert experiment.beside(dataset, 2).startswith("PyTorch's airbench94 was not run: PyTorch finds no GPU. ")


def test_airbench94_finds_our_images_and_its_accuracies_are_told(dataset, monkeypatch, capsys):
    """A stand-in for the package, which needs a GPU: it looks for the images where the package does."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)

    class Loader:
        def __init__(self, path, train, batch_size, aug=None, altflip=False):
            part = torch.load(f"{path}/{'train' if train else 'test'}.pt")
            self.images, self.labels, self.classes = part["images"].numpy(), part["labels"].numpy(), part["classes"]

    def train94(loader, verbose):
        np.testing.assert_array_equal(loader.images, dataset.train_images)
        np.testing.assert_array_equal(loader.labels, dataset.train_labels)
        assert loader.classes == list("abcdefghij")
        return "trained"

    def evaluate(model, loader, views):
        assert (model, views) == ("trained", 2)
        np.testing.assert_array_equal(loader.images, dataset.test_images)
        np.testing.assert_array_equal(loader.labels, dataset.test_labels)
        return float(torch.rand(1))

    recipe = {"opt": {"batch_size": 8}, "aug": {}, "net": {"tta_level": 2}}
    package = SimpleNamespace(
        CifarLoader=Loader,
        train94=train94,
        evaluate=evaluate,
        warmup94=lambda: print("not to be seen"),
        lib_airbench94=SimpleNamespace(hyp=recipe),
    )
    monkeypatch.setitem(sys.modules, "airbench", package)
    accuracies = [float(torch.rand(1, generator=torch.Generator().manual_seed(seed))) for seed in range(2)]
    assert experiment.beside(dataset, 2).startswith(f"PyTorch's airbench94: {experiment.spread(accuracies)}; training")
    assert not capsys.readouterr().out, "what the package prints is not ours"


def test_the_hardest_images_keep_their_order():
    losses = np.array([0.5, 3.0, np.inf, 0.1, 2.0, np.inf, 1.0, 0.2])
    order = np.array([6, 2, 0, 4, 7, 1, 5, 3])
    assert experiment.hardest(order, losses, 0.5).tolist() == [2, 4, 1, 5]
    assert experiment.hardest(order, losses, 1.0).tolist() == order.tolist()


def test_an_epoch_takes_the_images_whose_last_losses_were_the_largest(dataset, monkeypatch):
    """64 images in batches of 16: 4 steps of all, then 2 of a half, which go by the losses of these 4."""
    asked, take = [], experiment.hardest
    monkeypatch.setattr(
        experiment,
        "hardest",
        lambda order, losses, share: asked.append((losses.copy(), share)) or take(order, losses, share),
    )
    phases = (experiment.Phase(0.5), experiment.Phase(1.0, hardest=0.5))
    result = experiment.run(dataclasses.replace(TINY, phases=phases, epochs=2), dataset, 0, None, "float32")
    assert [share for _, share in asked] == [1.0, 0.5, 0.5]
    losses = [losses for losses, _ in asked]
    assert np.isinf(losses[0]).all() and np.isfinite(losses[1]).all()
    np.testing.assert_allclose(losses[1].mean(), np.mean(result.losses[:4]), rtol=1e-5)
    assert (losses[2] != losses[1]).sum() == 32, "what was not taken keeps its loss"
