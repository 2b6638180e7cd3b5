"""The tree of a network, and the times of its layers."""

import dataclasses
import re

import numpy as np
import pytest

from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Pad,
    chain,
    concat,
    gated,
    residual,
)
from jaxcnn.layers import summary as summary_of
from jaxcnn.report.page import timing
from jaxcnn.report.page.tree import network
from tests.report.pages import Page
from tests.report.subjects import content, html, images, trained

BODY = chain(conv=Conv(3), relu=Activation("relu"))
NETWORK = chain(
    stem=BODY,
    block=residual(BODY),
    again=residual(BODY),
    both=concat(a=Conv(2, 1), b=chain(c=Conv(2), d=Dropout(0.1))),
    gate=gated(chain(mean=GlobalAvgPool(), dense=Dense(4), act=Activation("sigmoid"))),
    bn=BatchNorm(),
    mean=GlobalAvgPool(),
    head=Dense(2),
)
SUBJECT = trained(NETWORK, images(3, channels=3), np.zeros(3))


def leaves(node):
    return [node] if node.form == "layer" else [leaf for part in node.parts for leaf in leaves(part)]


def nodes(node):
    return [node, *(inner for part in node.parts for inner in nodes(part))]


def shown(seconds=0.0):
    return content(network, dataclasses.replace(SUBJECT, seconds=seconds))


def test_it_has_the_layers_and_figures_of_the_summary():
    tree, rows = shown(), {row.path: row for row in summary_of(NETWORK, (6, 5, 3)).rows}
    for leaf in leaves(tree.root):
        row = rows[leaf.path]
        assert (leaf.shape, leaf.parameters) == (row.shape, row.trainable + row.fixed)
        assert (leaf.multiply_adds, leaf.field) == (row.multiply_adds, str(row.field))
    assert tree.root.parameters == tree.parameters == sum(row.trainable + row.fixed for row in rows.values())
    assert tree.root.multiply_adds == tree.multiply_adds and tree.parameters - tree.trainable == 8  # batch norm's
    assert tree.root.layers == len(leaves(tree.root)) == len(rows) - 4  # which have a row for each join


def test_branches_lie_side_by_side():
    by_path = {node.path: node for node in nodes(shown().root)}
    form = {path: (node.form, [part.name for part in node.parts]) for path, node in by_path.items()}
    assert form["stem"] == ("chain", ["conv", "relu"])
    assert form["block"] == ("branches", ["body", "shortcut"]) and by_path["block"].text == "added"
    assert form["both"] == ("branches", ["a", "b"]) and by_path["both"].text.startswith("put together")
    assert form["gate"] == ("branches", ["body", "gate"]) and by_path["gate"].text == "multiplied"
    assert by_path["block/shortcut"].text == "the input as it is" and by_path["block/shortcut"].shape == (6, 5, 3)
    assert by_path["both"].shape == (6, 5, 4) == by_path["gate/body"].shape
    assert by_path["both/b/c"].text == "Conv(features=2)"


def test_every_layer_is_timed():
    tree = shown(600.0)
    assert set(tree.times.of) == {leaf.path for leaf in leaves(tree.root)} and tree.times.left == 0
    for leaf in leaves(tree.root):
        assert leaf.time is tree.times.of[leaf.path] and leaf.time.forward > 0 and leaf.time.backward > 0
    equal = tree.times.of["block/body/conv"], tree.times.of["again/body/conv"]
    assert equal[0] is equal[1]  # of equal layers one is measured
    assert tree.slowest == max(leaf.time.both for leaf in leaves(tree.root))
    assert tree.root.measured.forward == pytest.approx(sum(leaf.time.forward for leaf in leaves(tree.root)))


def test_what_there_is_no_time_for_is_said():
    tree = shown(0.0)
    assert not tree.times.of and tree.times.left == tree.root.layers and tree.root.measured is None
    text = html(dataclasses.replace(SUBJECT, seconds=0.0), network)
    assert f"{tree.root.layers} of {tree.root.layers} layers were not timed" in text


def test_those_that_compute_most_are_timed_first(monkeypatch):
    met = []
    monkeypatch.setattr(timing, "_measured", lambda given, params, state: met.append((given.layer, given.like.shape)))
    shown(600.0)
    assert met[0][0] == Conv(3) and met[0][1][1:] == (6, 5, 3)
    sizes = [np.prod(shape) for layer, shape in met if not isinstance(layer, Conv | Dense)]
    assert sizes == sorted(sizes, reverse=True)


def test_no_derivative_to_the_images_is_timed():
    net = chain(
        pad=Pad(1),
        both=concat(a=Conv(2, 1), b=chain(relu=Activation("relu"), c=Conv(2, 1))),
        more=Conv(2),
        mean=GlobalAvgPool(),
        head=Dense(2),
    )
    given = timing._inputs(trained(net, images(2), np.zeros(2)).model, 2)
    first = {"/".join(path): one.first for path, one in given.items()}
    assert [path for path, is_first in first.items() if is_first] == ["pad", "both/a", "both/b/relu", "both/b/c"]
    assert first["more"] is False and first["head"] is False


def test_times_are_of_a_batch_that_is_worth_its_while(monkeypatch):
    assert shown().times.batch == timing.LARGEST_BATCH
    monkeypatch.setattr(timing, "WORK", 5 * SUBJECT_WORK)
    assert shown().times.batch == 5


SUBJECT_WORK = summary_of(NETWORK, (6, 5, 3)).multiply_adds


def test_the_page_names_every_layer(monkeypatch):
    page = Page(html(dataclasses.replace(SUBJECT, seconds=600.0), network))
    text = " ".join(" ".join(page.text).split())
    for leaf in leaves(shown().root):
        assert f"{leaf.path.rpartition('/')[2]} {leaf.text}" in text
    assert re.search(r"forward \+ backward, ms \d+\.\d\d \+ \d+\.\d\d", text)


def test_a_single_layer_is_a_tree_too():
    subject = dataclasses.replace(trained(GlobalAvgPool(), images(3, channels=2), np.zeros(3)), seconds=600.0)
    tree = content(network, subject)
    assert tree.root.form == "layer" and tree.root.shape == (2,) and tree.root.time.forward > 0
    assert "GlobalAvgPool()" in html(subject, network)
