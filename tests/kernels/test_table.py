"""The table by which convolutions go to kernels: what is like what, where it is from, and that it is followed."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import pytest

from jaxcnn import kernels
from jaxcnn.bench import tune
from jaxcnn.kernels import library, table
from jaxcnn.kernels.table import Row, Shape, Table

SHAPE = Shape("fprop", taps=9, stride=1, groups=1, pixels=1024, inputs=64, outputs=64)
needs_oneDNN = pytest.mark.skipif(isinstance(library.find(), library.Missing), reason="no oneDNN here")


def like(**changes):
    return dataclasses.replace(SHAPE, **changes)


@pytest.fixture
def afresh(monkeypatch):
    """The table is looked for again, without the tests' own."""
    monkeypatch.delenv(table.VARIABLE)
    table.table.cache_clear()
    jax.clear_caches()  # what was compiled by another table
    yield
    table.table.cache_clear()
    jax.clear_caches()


@pytest.mark.parametrize("pixels, kernel", [(10, "xla"), (200, "xla"), (5_000, "onednn"), (10**6, "onednn")])
def test_the_nearest_row_decides(pixels, kernel):
    few, many = {"xla": 1.0, "onednn": 2.0}, {"xla": 2.0, "onednn": 1.0}
    made = Table((Row(like(pixels=100), few), Row(like(pixels=10_000), many)), "")
    assert made.fastest(like(pixels=pixels), {"xla": 1.0, "onednn": 1.0}) == kernel


@pytest.mark.parametrize(
    "other",
    [
        {"map": "wgrad"},
        {"taps": 1},
        {"taps": 49},
        {"stride": 2},
        {"groups": 64, "inputs": 1, "outputs": 1},
        {"groups": 4},
    ],
    ids=str,
)
def test_a_row_of_another_kind_tells_nothing(other):
    made = Table((Row(SHAPE, {"xla": 1.0, "onednn": 2.0}), Row(like(**other), {"xla": 2.0, "onednn": 1.0})), "")
    assert made.fastest(SHAPE, {"xla": 1.0, "onednn": 1.0}) == "xla"
    assert made.fastest(like(**other), {"xla": 1.0, "onednn": 1.0}) == "onednn"


def test_one_row_that_was_disturbed_is_held_back_by_those_around_it():
    rows = [Row(like(pixels=1000 + i), {"onednn": 1.0, "xla": 1.5}) for i in range(8)]
    made = Table((*rows, Row(like(pixels=1003), {"onednn": 4.0, "xla": 1.5})), "")
    assert made.fastest(like(pixels=1003), {"onednn": 1.0, "xla": 1.0}) == "onednn"


@pytest.mark.parametrize("work, kernel", [(0.3, "winograd"), (0.46, "onednn"), (0.6, "onednn")])
def test_winograd_makes_fewer_products_and_must_gain_a_tenth_by_it(work, kernel):
    made = Table((Row(SHAPE, {"onednn": 1.0, "winograd": 2.0}),), "")
    assert made.fastest(SHAPE, {"onednn": 1.0, "winograd": work}) == kernel


def test_bfloat16_that_was_not_measured_is_taken_to_be_somewhat_faster():
    made = Table((Row(SHAPE, {"onednn": 1.0, "winograd": 0.7}),), "")
    work = dict.fromkeys(("onednn", "winograd", "onednn bfloat16"), 1.0)
    assert made.fastest(SHAPE, work) == "onednn bfloat16"
    assert made.fastest(SHAPE, work | {"winograd": 0.5}) == "winograd"


def test_what_no_row_tells_goes_to_the_first():
    assert Table((), "").fastest(SHAPE, {"onednn": 1.0, "xla": 1.0}) == "onednn"


def test_written_and_read():
    made = Table((Row(SHAPE, {"onednn": 1e-11, "xla": 3.2e-10}), Row(like(taps=1), {"xla": 1e-9})), "here")
    assert Table.from_json(made.to_json(), "here").rows == made.rows


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"rows": []}', '{"rows": [[1]]}', '{"rows": [["fprop", 9, 1, 1, 4, 4, 4, {"cuda": 1.0}]]}',
     '{"rows": [["fprop", 9, 1, 1, 4, 4, 4, {"xla": -1.0}]]}', '{"rows": [["fprop", 9, 1, 1, 4, 4, 4, {}]]}'],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"^some\.json is no table of kernels' times"):
        Table.from_json(text, "some.json")


# Where it is from.


@needs_oneDNN
def test_the_users_table_comes_before_jaxcnns_and_a_broken_one_is_passed_over(afresh, monkeypatch, tmp_path):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path))
    assert table.table().source == f"jaxcnn's for {library.find().instructions}"
    file = table.user_file()
    file.parent.mkdir()
    file.write_text(Table((Row(SHAPE, {"xla": 1.0}),), "").to_json())
    table.table.cache_clear()
    assert table.table().source == str(file) and len(table.table().rows) == 1
    file.write_text("{")
    table.table.cache_clear()
    assert table.table().source == f"jaxcnn's for {library.find().instructions}"


@needs_oneDNN
def test_the_environment_names_a_table_and_is_told_what_is_wrong_with_it(afresh, monkeypatch, tmp_path):
    monkeypatch.setenv(table.VARIABLE, str(tmp_path / "none.json"))
    with pytest.raises(ValueError, match=r"JAXCNN_KERNEL_TABLE names .*none\.json, which can't be read"):
        table.table()


@pytest.mark.parametrize("instructions", ["avx2", "avx512", "amx"])
def test_jaxcnns_tables_tell_of_all_that_is_measured(instructions):
    made = table.shipped(instructions)
    told = {row.shape for row in made.rows}
    assert told >= {task.shape for task in tune.tasks()}
    for row in made.rows:
        assert all(1e-13 < rate < 1e-5 and math.isfinite(rate) for rate in row.rates.values()), row


# That it is followed.


@needs_oneDNN
@pytest.mark.parametrize("fastest, target", [("xla", None), ("onednn", library.TARGET), ("winograd", library.WINOGRAD)])
def test_the_fastest_computes(fastest, target, afresh, monkeypatch, tmp_path):
    rates = dict.fromkeys(("xla", "onednn", "winograd"), 1e-9) | {fastest: 1e-12}
    file = tmp_path / "table.json"
    file.write_text(Table((Row(SHAPE, rates),), "").to_json())
    monkeypatch.setenv(table.VARIABLE, str(file))
    x, kernel = jnp.zeros((4, 16, 16, 64)), jnp.zeros((3, 3, 64, 64))
    options = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    text = jax.jit(lambda x, kernel: kernels.fprop(x, kernel, **options)).lower(x, kernel).as_text()
    assert [name for name in (library.TARGET, library.WINOGRAD) if name in text] == [target] * (target is not None)
