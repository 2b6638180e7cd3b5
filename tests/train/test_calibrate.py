"""Temperature scaling: the minimum that a search finds, and where it is kept."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest
from scipy import optimize, special

from jaxcnn import load_model
from jaxcnn.train.calibrate import calibrate, negative_log_likelihood, probabilities, temperature
from jaxcnn.train.model_folder import set_temperature


def overconfident(seed=0, n=400, classes=5):
    """Logits that are three times as large as they should be, and labels drawn from what they should be."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.standard_normal((n, classes))
    labels = np.array([rng.choice(classes, p=p) for p in special.softmax(z, -1)])
    return (3 * z).astype(np.float32), labels


def log_likelihood(z, labels, kind):
    """SciPy's."""
    if kind == "softmax":
        return special.log_softmax(z, -1)[np.arange(len(z)), labels].mean()
    signs = 2 * np.eye(z.shape[-1])[labels] - 1
    return special.log_expit(signs * z).sum(-1).mean()


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("scale", [0.05, 1.0, 5.0])
def test_it_is_the_minimum_that_a_search_finds(kind, scale):
    z, labels = overconfident()
    z = np.float64(scale) * z
    found = temperature(z, labels, kind)
    best = optimize.minimize_scalar(
        lambda t: -log_likelihood(z / np.exp(t), labels, kind),
        bounds=(-4.6, 4.6),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert np.log(found) == pytest.approx(best.x, abs=1e-5)
    nll = [negative_log_likelihood(probabilities(z / t, kind), labels, kind) for t in (1.0, found)]
    assert nll[1] == pytest.approx(best.fun, rel=1e-9) and nll[1] <= nll[0]
    if kind == "softmax":
        assert found == pytest.approx(3 * scale, rel=0.15)  # as the labels were drawn


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_likelihood_is_scipys(kind):
    z, labels = overconfident()
    p = probabilities(z, kind)
    assert negative_log_likelihood(p, labels, kind) == pytest.approx(-log_likelihood(z.astype(float), labels, kind))
    jaxs = jax.nn.softmax(z) if kind == "softmax" else jax.nn.sigmoid(z)
    np.testing.assert_allclose(p, jaxs, rtol=1e-4, atol=1e-30)


def test_where_there_is_no_best_temperature_that_is_said():
    z, labels = overconfident()
    for kind in ("softmax", "sigmoid"):
        with pytest.raises(ValueError, match=r"no temperature from 0.01 to 100 .* 400 images of which 100% are right"):
            temperature(10 * np.eye(5)[labels], labels, kind)
    with pytest.raises(ValueError, match=r"images of which 0% are right"):
        temperature(-10 * np.eye(5)[labels], labels, "softmax")
    with pytest.raises(ValueError, match="not finite"):
        temperature(np.where(z > 7, np.inf, z), labels, "softmax")


def test_it_is_fitted_by_the_validation_part_or_by_half_of_the_test_images(trained):
    model, dataset = load_model(trained.run.path, "last"), trained.experiment.dataset
    images, labels = dataset.test_images, dataset.test_labels
    z = np.asarray(model.logits(model.preprocess(images)))
    halves = calibrate(model, dataset)
    assert halves.temperature == pytest.approx(temperature(z[::2], labels[::2], "softmax"), rel=1e-5)
    assert halves.fitted.startswith("180 of the test images") and halves.measured == "the other 180"
    assert halves.likelihood[0] == pytest.approx(-log_likelihood(z[1::2], labels[1::2], "softmax"), rel=1e-4)
    valid = dataclasses.replace(
        dataset,
        valid_images=images[:100],
        valid_labels=labels[:100],
        test_images=images[100:],
        test_labels=labels[100:],
    )
    found = calibrate(model, valid)
    assert found.temperature == pytest.approx(temperature(z[:100], labels[:100], "softmax"), rel=1e-5)
    assert (found.fitted, found.measured) == ("100 validation images", "260 test images")
    after = z[100:] / found.temperature
    assert found.likelihood[1] == pytest.approx(-log_likelihood(after, labels[100:], "softmax"), rel=1e-4)


def test_another_model_in_its_place_keeps_its_temperature(trained, tmp_path):
    run = shutil.copytree(trained.run.path, tmp_path / "run")
    other = dataclasses.replace(load_model(run, "last").card, step=1)
    with pytest.raises(ValueError, match=r"last/model.json has been written anew meanwhile"):
        set_temperature(run, "last", other, 2.0)
    assert load_model(run, "last").card.temperature == 1
