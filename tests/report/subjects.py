"""Trained networks and test images made by hand, for the sections of a run's page; and pictures read off a page."""

import base64
import io
import re
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxcnn.report.page.page import written
from jaxcnn.report.page.trained import Tested, Trained
from jaxcnn.train.model import Model

MEAN, STD = 0.5, 0.25


def images(n, height=6, width=5, channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, channels), np.uint8)


def probabilities(labels, classes, sure=1.0, seed=0):
    """Of a network that is right about some of these."""
    z = np.random.default_rng(seed).normal(size=(len(labels), classes))
    z[np.arange(len(labels)), labels] += sure
    p = np.exp(z)
    return (p / p.sum(-1, keepdims=True)).astype(np.float32)


def trained(network, pixels, labels, p=None, classes=None, params=None, **card):
    """A network on images whose labels are known; it says `p`, or what it does say."""
    shape = pixels.shape[1:]
    fresh, state = network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    params = fresh if params is None else params
    if p is None:
        p = np.asarray(jax.nn.softmax(network(params, state, jnp.asarray(normalised(pixels)))))
    names = tuple(f"class {i}" for i in range(p.shape[1])) if classes is None else classes
    said = {"image_shape": shape, "mean": (MEAN,) * shape[2], "std": (STD,) * shape[2], "classes": names}
    model = Model(SimpleNamespace(**{"temperature": 1.0, "loss": "softmax"} | said | card), network, params, state)
    return Trained(model, Tested(pixels, np.asarray(labels, np.int32), SimpleNamespace(probabilities=p)))


def normalised(pixels):
    return ((pixels / 255 - MEAN) / STD).astype(np.float32)


def content(make, subject):
    """What a section shows."""
    section = make(None, subject)
    assert not section.missing
    return section.content


def missing(make, subject):
    """Why there is nothing to show."""
    section = make(None, subject)
    assert section.content is None
    return section.missing


def html(subject, *makers):
    """A page with these sections."""
    return written("A page", [make(None, subject) for make in makers], "runs/one")


def decoded(uri):
    """The pixels (h, w, c) of a data URI."""
    form, data = re.fullmatch(r"data:image/(png|webp);base64,([A-Za-z0-9+/=]+)", uri).groups()
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.format == form.upper()
        pixels = np.asarray(picture)
    return pixels.reshape(*pixels.shape[:2], -1)


def thumbnail(album, image):
    """The pixels of a test image on the sheet of an album."""
    right, down = album.place(image)
    top, left = down * album.height, right * album.width
    return decoded(album.uri)[top : top + album.height, left : left + album.width]
