"""Every rule has a family, and under the family's name it is found in each place."""

import importlib
import pkgutil

import pytest

import jaxcnn
from jaxcnn import ops
from jaxcnn.verify import catalog
from jaxcnn.verify.catalog import draw

FAMILIES: dict[str, set[str]] = {}
for name, made in ops.RULES.items():
    FAMILIES.setdefault(made.__module__.removeprefix("jaxcnn.ops.").split(".")[0], set()).add(name)

each_family = pytest.mark.parametrize("family", FAMILIES)


def the(place):
    return importlib.import_module(place)


def test_the_catalogue_gathers_all_families():
    assert sorted(catalog.FAMILIES) == sorted(FAMILIES)


@each_family
def test_ops_has_a_module_for_it_that_exports_its_rules(family):
    module = the(f"jaxcnn.ops.{family}")
    assert all(getattr(module, name) is ops.RULES[name] for name in FAMILIES[family])


@each_family
def test_the_catalogue_has_loops_a_space_and_faults_for_each_rule(family, monkeypatch):
    assert {loop.__name__ for loop in the(f"jaxcnn.verify.catalog.{family}.naive").LOOPS} == FAMILIES[family]
    assert {fault.rule for fault in the(f"jaxcnn.verify.catalog.{family}.faults").FAULTS} == FAMILIES[family]
    monkeypatch.setattr(draw, "SPACES", {})
    importlib.reload(the(f"jaxcnn.verify.catalog.{family}.space"))
    assert set(draw.SPACES) == FAMILIES[family]


@each_family
def test_the_tests_have_cases_and_bad_input_for_each_rule(family):
    assert {case.rule for case in the(f"tests.ops.cases.{family}").CASES} == FAMILIES[family]
    refused = {name.split("-")[0] for name in the(f"tests.ops.errors.{family}").BAD}
    assert refused & set(ops.RULES) == FAMILIES[family]


def test_a_folder_does_not_hide_the_rule_of_its_name():
    """`jaxcnn.ops.conv` is a folder and a rule: whoever imports from the folder, the attribute is the rule."""
    for module in pkgutil.walk_packages(jaxcnn.ops.__path__, "jaxcnn.ops."):
        the(module.name)
    assert all(getattr(ops, name) is rule for name, rule in ops.RULES.items())
    assert the("jaxcnn.ops.conv").conv is ops.conv
