"""The names of ImageNet's classes."""

import importlib.util

import pytest

from jaxcnn.data import imagenet


def test_imagenets_names():
    """As torchvision has them, but for three of two pairs that are called alike."""
    names = imagenet.names()
    assert len(names) == len(set(names)) == 1000 and all(name == name.strip() != "" for name in names)
    known = {0: "tench", 134: "crane (bird)", 281: "tabby", 517: "crane (machine)", 638: "maillot", 639: "tank suit"}
    assert {i: names[i] for i in known} == known and names[999] == "toilet tissue"


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="no torchvision here")
def test_imagenets_names_are_torchvisions():
    from tests.interop.libraries import torchvision

    theirs = torchvision().models._meta._IMAGENET_CATEGORIES
    ours = imagenet.names()
    assert [i for i in range(1000) if ours[i] != theirs[i]] == [134, 517, 639]
