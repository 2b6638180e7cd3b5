"""The sections about a network and its images, of all kinds of networks and images."""

import dataclasses

import numpy as np
import pytest

from jaxcnn.layers import Activation, Conv, Dense, Flatten, GlobalAvgPool, chain
from jaxcnn.report.page import activity
from jaxcnn.report.page.trained import Trained
from jaxcnn.report.page.within import SECTIONS, sections
from tests.report.pages import Page
from tests.report.subjects import html, images, probabilities, trained

CONV = chain(conv=Conv(4, 3, stride=2), relu=Activation("relu"), mean=GlobalAvgPool(), head=Dense(2))
NETWORKS = {
    "conv": CONV,
    "dense": chain(flatten=Flatten(), head=Dense(2)),
    "tanh": chain(flatten=Flatten(), dense=Dense(3), tanh=Activation("tanh"), head=Dense(2)),
    "single": chain(mean=GlobalAvgPool()),
}
NAMES = ["network", "confusion", "calibration", "mistakes", "filters", "maps", "units", "gradient_check"]


def untimed(subject):
    return dataclasses.replace(subject, seconds=0.0)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("n", "channels"), [(1, 2), (9, 2), (9, 3)])
def test_every_network_has_every_section(network, n, channels):
    subject = untimed(trained(NETWORKS[network], images(n, channels=channels), np.arange(n) % 2))
    made = sections(None, subject)
    assert [section.name for section in made] == NAMES
    assert all((section.content is None) == bool(section.missing) for section in made)
    page = Page(html(subject, *SECTIONS))
    assert len(page.ids) == len(set(page.ids)) and set(NAMES) <= set(page.ids)
    assert all(address.startswith("data:image/") for address in page.loads)


def test_without_test_images_the_network_alone_is_shown():
    subject = untimed(dataclasses.replace(trained(CONV, images(2), np.zeros(2)), tested=None))
    assert [section.name for section in sections(None, subject)] == ["network", "filters"]


def test_without_a_network_there_is_nothing():
    assert sections(None, Trained(missing=("The model is damaged.",))) == []


def test_classes_may_be_called_anything():
    names = ("<script>alert(1)</script>", '" onload="', "'&amp;")
    labels = np.array([0, 1, 2, 0, 1, 2])
    subject = untimed(trained(chain(mean=GlobalAvgPool(), head=Dense(3)), images(6), labels, classes=names))
    page = Page(html(subject, *SECTIONS))
    assert names[0] in page.text and not page.data


def test_of_a_hundred_classes_of_photographs_the_page_stays_below_5_mb(monkeypatch):
    """Even if they are noise, of which no picture can be made small."""
    monkeypatch.setattr(activity, "IMAGES", 8)
    classes = 100
    labels = np.random.default_rng(0).integers(0, classes, 200)
    network = chain(conv=Conv(16, 3, stride=2), relu=Activation("relu"), mean=GlobalAvgPool(), head=Dense(classes))
    pixels = np.random.default_rng(0).integers(0, 256, (200, 224, 224, 3), np.uint8)
    subject = untimed(trained(network, pixels, labels, probabilities(labels, classes, 3.0)))
    assert len(html(subject, *SECTIONS).encode()) < 4_000_000  # what else there is on a page has a fifth


def test_a_section_that_fails_takes_no_other_with_it(monkeypatch):
    """As one of a network of the user's own may."""
    subject = untimed(trained(CONV, images(4), np.arange(4) % 2))
    monkeypatch.setattr(activity.Activity, "__init__", lambda *_: 1 / 0)
    made = {section.name: section for section in sections(None, subject)}
    why = "It could not be made (ZeroDivisionError: division by zero)."
    assert made["maps"].missing == made["units"].missing == why and made["confusion"].content is not None
